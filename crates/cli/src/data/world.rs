//! `toolrl data world`: tasks of the wide world as a file.

use anyhow::bail;
use toolrl_data::convert::{Converted, LeftOut, openai_rows};
use toolrl_data::describe;
use toolrl_data::wide::{Thoughts, WideConfig, WideWorld};

use super::convert::{is_table, write_rows, write_samples};
use crate::args::{DataWorldArgs, PartArg};

/// Writes the tasks; what they are goes to standard output.
pub(crate) fn world(args: &DataWorldArgs) -> anyhow::Result<()> {
    let out = &args.out;
    if out.exists() && !args.force {
        bail!("{} is there already: choose another --out, or write over it with --force", out.display());
    }
    let config = config(args);
    let tasks = WideWorld::generate(&config)?;
    let samples = if args.part == PartArg::Train { tasks.train } else { tasks.held_out };
    if is_table(out) {
        write_samples(out, &samples)?;
    } else {
        let Converted { rows, left_out } = openai_rows(&samples);
        if let Some(LeftOut { id, reason }) = left_out.first() {
            bail!("{id}: {reason}");
        }
        write_rows(out, &rows)?;
    }
    println!("{}: {}", out.display(), describe(&samples));
    Ok(())
}

/// The world with one part alone.
fn config(args: &DataWorldArgs) -> WideConfig {
    let default = WideConfig::default();
    let (train, held_out) = match args.part {
        PartArg::Train => (args.tasks.unwrap_or(default.train), 0),
        PartArg::HeldOut => (0, args.tasks.unwrap_or(default.held_out)),
    };
    WideConfig {
        seed: args.seed.unwrap_or(default.seed),
        train,
        held_out,
        domains: args.domains,
        unseen_share: args.unseen_share.unwrap_or(default.unseen_share),
        hard_values: args.hard_values.unwrap_or(default.hard_values),
        made_up: args.made_up.unwrap_or(default.made_up),
        min_tools: args.min_tools.unwrap_or(default.min_tools),
        max_tools: args.max_tools.unwrap_or(default.max_tools),
        thoughts: if args.thoughts { Thoughts::Short } else { Thoughts::None },
        ..default
    }
}
