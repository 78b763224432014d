//! `toolrl reward score`.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use toolrl_reward::rows::{Row, scored};
use toolrl_reward::{Registry, RewardError, Score};
use toolrl_workbench::Reward;

use super::RowsArgs;
use super::choice::RewardArgs;
use super::rows::Chunks;
use crate::lines::Lines;

/// Arguments of `toolrl reward score`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScoreArgs {
    /// Rows of `solution_str` and `ground_truth`, one JSON object a line; may be gzipped. By another reward than the
    /// released one, the rows of `reward explain`
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    #[command(flatten)]
    pub(crate) reward: RewardArgs,
    /// Where the scores go, one JSON object a line [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Writes one line of JSON per row, in the rows' order: its score, or why it has none.
///
/// # Errors
/// A reward that cannot be used, a file that cannot be read or written, or a line that is no row.
pub(super) fn score(args: &ScoreArgs, registry: &Registry) -> anyhow::Result<()> {
    let chosen = args.reward.reward(registry)?.reward;
    let rows = |out: &mut dyn Write| match chosen.is_per_row() {
        true => score_rows(&mut Lines::open(&args.rows)?, out),
        false => score_by(&chosen, &args.rows, out),
    };
    let Some(path) = &args.out else {
        return rows(&mut BufWriter::new(io::stdout().lock()));
    };
    let out = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    rows(&mut BufWriter::new(out)).with_context(|| format!("while writing {}", path.display()))
}

/// By one reward for all rows: the score with every number of its terms, and why a term failed.
fn score_by(reward: &Reward, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut chunks = Chunks::open(&RowsArgs { rows: path.to_owned(), group_by: None })?;
    loop {
        let rows = chunks.next();
        // What was scored before a broken row stays.
        let rows = rows.inspect_err(|_| drop(out.flush()))?;
        if rows.is_empty() {
            return unless_gone(out.flush());
        }
        for (row, scored) in rows.iter().zip(reward.score(&rows)) {
            let told = writeln!(out, "{}", line(row.id.as_deref(), scored.map(|scored| scored.score)));
            if told.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
                return Ok(());
            }
            unless_gone(told)?;
        }
    }
}

fn line(id: Option<&str>, score: Result<Score, RewardError>) -> Value {
    let mut line = serde_json::Map::new();
    if let Some(id) = id {
        line.insert("id".to_owned(), serde_json::from_str(id).unwrap_or_else(|_| id.into()));
    }
    match score {
        Ok(score) => {
            line.insert("score".to_owned(), if score.skipped { Value::Null } else { score.total.into() });
            line.insert(
                "components".to_owned(),
                score.metrics().map(|(name, value)| (name, Value::from(value))).collect(),
            );
            let failures: serde_json::Map<_, _> = score
                .failures()
                .map(|(term, failure)| (term.to_owned(), failure.cause.to_string().into()))
                .collect();
            if !failures.is_empty() {
                line.insert("failures".to_owned(), failures.into());
            }
        }
        Err(error) => drop(line.insert("error".to_owned(), error.to_string().into())),
    }
    line.into()
}

/// A reader that has gone away is no error.
fn unless_gone(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the scores"),
    }
}

fn score_rows(lines: &mut Lines, out: &mut dyn Write) -> anyhow::Result<()> {
    each_row(lines, out, |row, out| writeln!(out, "{}", scored(row)))
}

/// Hands each row to `write`. A reader that has gone away ends the work, and is no error.
fn each_row(
    lines: &mut Lines,
    out: &mut dyn Write,
    mut write: impl FnMut(&Row<'_>, &mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    while let Some(line) = lines.next_line()? {
        let row = Row::parse(line);
        let written = match &row {
            Ok(row) => write(row, out),
            Err(error) => {
                let message = error.to_string();
                // What was scored before the broken row stays.
                out.flush().context("cannot write the scores")?;
                anyhow::bail!("{}: {message}", lines.place());
            }
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("cannot write the scores")?,
        }
    }
    unless_gone(out.flush())
}
