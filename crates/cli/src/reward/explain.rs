//! `toolrl reward explain`.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use toolrl_reward::{Registry, RewardError};
use toolrl_workbench::{Page, Row, Scored};

use super::RowsArgs;
use super::choice::RewardArgs;
use super::rows::Chunks;

/// Arguments of `toolrl reward explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    #[command(flatten)]
    pub(crate) reward: RewardArgs,
    /// Write one page with a card a row there, instead of text to standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Explain the first N rows [default: all of them, and 1000 on a page]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Rows on a page, where nothing else is said: a browser is quick with so many.
const ON_A_PAGE: usize = 1_000;

/// Says for each row which calls were matched, what they earned and what cost each point.
pub(super) fn explain(args: &ExplainArgs, registry: &Registry) -> anyhow::Result<()> {
    match &args.html {
        Some(path) => page(args, path, registry),
        None => match text(args, registry, &mut BufWriter::new(io::stdout().lock())) {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            done => done,
        },
    }
}

/// A reader that has gone away ends the work, and is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn text(args: &ExplainArgs, registry: &Registry, out: &mut impl Write) -> anyhow::Result<()> {
    let done = each(args, usize::MAX, registry, |row, scored| {
        writeln!(out, "{}", row.label())?;
        match (scored, &row.reply) {
            (Ok(scored), Ok(reply)) => {
                writeln!(
                    out,
                    "{}",
                    toolrl_reward::explain(&scored.reference.read(reply), &scored.reference, &scored.score)
                )?;
            }
            (Err(error), _) | (_, Err(error)) => writeln!(out, "error: {error}\n")?,
        }
        Ok(())
    });
    // What was explained before a broken row stays.
    out.flush()?;
    done.map(|_| ())
}

fn page(args: &ExplainArgs, path: &std::path::Path, registry: &Registry) -> anyhow::Result<()> {
    let mut page = Page::new();
    let left_out = each(args, ON_A_PAGE, registry, |row, scored| {
        match scored {
            Ok(scored) => page.add(row, scored),
            Err(error) => page.add_unscorable(row, &error.to_string()),
        }
        Ok(())
    })?;
    let title = format!("Rewards of {}", args.rows.rows.display());
    std::fs::write(path, page.finish(&title)?).with_context(|| format!("cannot write {}", path.display()))?;
    if left_out {
        tracing::warn!("only the first {} rows are on the page; --limit N takes more", page.rows());
    }
    super::print(&format!("{} rows on {}\n", page.rows(), path.display()))
}

/// Hands each row with its score on, at most `most` or as the arguments say; tells whether some were left out.
fn each(
    args: &ExplainArgs,
    most: usize,
    registry: &Registry,
    mut then: impl FnMut(&Row, &Result<Scored, RewardError>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let reward = args.reward.reward(registry)?.reward;
    let mut chunks = Chunks::open(&args.rows)?;
    let mut left = args.limit.unwrap_or(most);
    loop {
        let mut rows = chunks.next()?;
        if rows.is_empty() || left == 0 {
            return Ok(!rows.is_empty());
        }
        let more = rows.len() > left;
        rows.truncate(left);
        left -= rows.len();
        for (row, scored) in rows.iter().zip(reward.score(&rows)) {
            then(row, &scored)?;
        }
        if more {
            return Ok(true);
        }
    }
}
