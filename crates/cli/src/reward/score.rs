//! `toolrl reward score`.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use toolrl_reward::rows::{Row, scored};

use crate::lines::Lines;

/// Arguments of `toolrl reward score`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScoreArgs {
    /// Rows of `solution_str` and `ground_truth`, one JSON object a line; may be gzipped
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Where the scores go, one JSON object a line [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Writes one line of JSON per row, in the rows' order: its score, or why it has none.
///
/// # Errors
/// A file that cannot be read or written, or a line that is no row.
pub fn score(args: &ScoreArgs) -> anyhow::Result<()> {
    let mut lines = Lines::open(&args.rows)?;
    let Some(path) = &args.out else {
        return score_rows(&mut lines, &mut BufWriter::new(io::stdout().lock()));
    };
    let out = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    score_rows(&mut lines, &mut BufWriter::new(out))
        .with_context(|| format!("while writing {}", path.display()))
}

fn score_rows(lines: &mut Lines, out: &mut impl Write) -> anyhow::Result<()> {
    each_row(lines, out, |row, out| writeln!(out, "{}", scored(row)))
}

/// Hands each row to `write`. A reader that has gone away ends the work, and is no error.
fn each_row(
    lines: &mut Lines,
    out: &mut impl Write,
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
    match out.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed.context("cannot write the scores"),
    }
}
