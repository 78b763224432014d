//! Rows from JSON lines and from the Parquet files of a run, some of them in memory at a time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toolrl_record::{Completion, read_completions};
use toolrl_workbench::Row;

use super::RowsArgs;
use crate::lines::Lines;

/// Rows that are scored together.
const CHUNK: usize = 256;

/// The rows of a file or of a run, chunk by chunk.
pub(super) struct Chunks {
    source: Source,
    group_by: Option<String>,
    /// Rows so far.
    number: usize,
    /// What comes after the rows that were read before it.
    failure: Option<anyhow::Error>,
}

enum Source {
    Lines(Lines),
    Files { files: VecDeque<PathBuf>, read: VecDeque<Row> },
}

impl Chunks {
    pub(super) fn open(args: &RowsArgs) -> anyhow::Result<Self> {
        let files = parquet_files(&args.rows)?;
        if !files.is_empty() && args.group_by.is_some() {
            bail!("--group-by is for rows of JSON; a run's replies are grouped by step and prompt");
        }
        let source = match files.is_empty() {
            true => Source::Lines(Lines::open(&args.rows)?),
            false => Source::Files { files: files.into(), read: VecDeque::new() },
        };
        Ok(Self { source, group_by: args.group_by.clone(), number: 0, failure: None })
    }

    /// The next rows; none at the end. A line that is no row is an error after the rows before it.
    pub(super) fn next(&mut self) -> anyhow::Result<Vec<Row>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut rows = Vec::new();
        while rows.len() < CHUNK {
            match self.row() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) if rows.is_empty() => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(rows)
    }

    fn row(&mut self) -> anyhow::Result<Option<Row>> {
        self.number += 1;
        match &mut self.source {
            Source::Lines(lines) => {
                let Some(line) = lines.next_line()? else { return Ok(None) };
                match Row::parse(line, self.number, self.group_by.as_deref()) {
                    Ok(row) => Ok(Some(row)),
                    Err(error) => Err(anyhow::Error::new(error).context(lines.place())),
                }
            }
            Source::Files { files, read } => loop {
                if let Some(mut row) = read.pop_front() {
                    row.number = self.number;
                    return Ok(Some(row));
                }
                let Some(file) = files.pop_front() else { return Ok(None) };
                let sampled = |c: &Completion| {
                    Row::sampled(0, c.step, c.prompt_index, &c.sample_id, &c.completion, &c.gold)
                };
                read.extend(read_completions(&file)?.iter().map(sampled));
            },
        }
    }
}

/// The Parquet files of a path, by name: itself, those in it, or those in its `completions`.
fn parquet_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    if !path.is_dir() {
        return Ok(if is_parquet(path) { vec![path.to_owned()] } else { Vec::new() });
    }
    let inner = path.join("completions");
    let dir = if inner.is_dir() { inner } else { path.to_owned() };
    let cannot = || format!("cannot read {}", dir.display());
    let entries = std::fs::read_dir(&dir).with_context(cannot)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut files: Vec<_> = paths.with_context(cannot)?.into_iter().filter(|path| is_parquet(path)).collect();
    if files.is_empty() {
        bail!("{}: no Parquet file of sampled replies", dir.display());
    }
    files.sort();
    Ok(files)
}
