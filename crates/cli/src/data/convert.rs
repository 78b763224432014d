//! `toolrl data convert`: a dataset in another form.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;
use toolrl_data::convert::{Converted, LeftOut, in_toolrls_text, openai_rows};
use toolrl_data::{Faulty, LoadConfig, Sample, load_with, write_jsonl, write_parquet};

use crate::args::{DataConvertArgs, Target};

/// Writes the samples that the form can say; how many, and which not, goes to standard output.
pub(crate) fn convert(args: &DataConvertArgs) -> anyhow::Result<()> {
    let out = &args.out;
    if out.exists() && !args.force {
        bail!("{} is there already: choose another --out, or write over it with --force", out.display());
    }
    if args.prompt.is_some() && !matches!(args.to, Target::Toolrl) {
        bail!("--prompt is the template of --to toolrl: other forms keep messages and tools apart");
    }
    let faulty = if args.leave_out { Faulty::LeaveOut } else { Faulty::Refuse };
    let loaded = load_with(&args.path, LoadConfig { turns: args.turns.into(), faulty })?;
    let (written, left_out) = match args.to {
        Target::Openai => {
            let Converted { rows, left_out } = openai_rows(&loaded.samples);
            write_rows(out, &rows)?;
            (rows.len(), left_out)
        }
        Target::Toolrl => {
            let Converted { rows, left_out } = in_toolrls_text(&loaded.samples, args.prompt.as_deref())?;
            write_samples(out, &rows)?;
            (rows.len(), left_out)
        }
        Target::Verl => {
            write_samples(out, &loaded.samples)?;
            (loaded.samples.len(), Vec::new())
        }
    };
    println!("{}: {written} samples of {}", out.display(), loaded.samples.len());
    left_out.iter().for_each(|LeftOut { id, reason }| println!("  left out: {id}: {reason}"));
    Ok(())
}

pub(super) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet")
}

pub(super) fn write_samples(out: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    not_empty(samples.len())?;
    if is_table(out) {
        write_parquet(out, samples)?
    } else {
        write_jsonl(out, samples)?
    }
    Ok(())
}

pub(super) fn write_rows(out: &Path, rows: &[Value]) -> anyhow::Result<()> {
    not_empty(rows.len())?;
    if is_table(out) {
        bail!("OpenAI's form is written as JSON lines: give --out a name without .parquet");
    }
    let cannot = || format!("cannot write {}", out.display());
    let mut file = BufWriter::new(std::fs::File::create(out).with_context(cannot)?);
    rows.iter().try_for_each(|row| writeln!(file, "{row}")).with_context(cannot)?;
    file.flush().with_context(cannot)
}

fn not_empty(samples: usize) -> anyhow::Result<()> {
    if samples == 0 { bail!("no sample can be said in this form, nothing was written") } else { Ok(()) }
}
