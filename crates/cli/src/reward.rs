//! `toolrl reward`: scores rows of replies, or explains their scores.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use toolrl_reward::rows::{Row, scored};

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

/// Arguments of `toolrl reward explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// Rows of `solution_str` and `ground_truth`, one JSON object a line; may be gzipped
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
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

/// Writes for each row which calls were matched, what they earned and what cost each point.
///
/// # Errors
/// A file that cannot be read, or a line that is no row.
pub fn explain(args: &ExplainArgs) -> anyhow::Result<()> {
    let mut lines = Lines::open(&args.rows)?;
    let mut number = 0;
    each_row(&mut lines, &mut BufWriter::new(io::stdout().lock()), |row, out| {
        number += 1;
        match &row.id {
            Some(id) => writeln!(out, "row {number} ({id})")?,
            None => writeln!(out, "row {number}")?,
        }
        match row.explain() {
            Ok(text) => writeln!(out, "{text}"),
            Err(error) => writeln!(out, "error: {error}\n"),
        }
    })
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

/// The lines of a file, ended by `\n` alone, one in memory at a time; blank ones are left out.
struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: usize,
}

/// The two bytes with which gzip begins.
const GZIP: [u8; 2] = [0x1F, 0x8B];

impl Lines {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot_read = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot_read)?;
        let mut start = Vec::new();
        let mut file = BufReader::new(file);
        file.by_ref().take(2).read_to_end(&mut start).with_context(cannot_read)?;
        let packed = start == GZIP;
        let whole = io::Cursor::new(start).chain(file);
        let reader: Box<dyn BufRead> = if packed {
            Box::new(BufReader::new(MultiGzDecoder::new(whole)))
        } else {
            Box::new(whole)
        };
        Ok(Self { path: path.to_path_buf(), reader, line: Vec::new(), number: 0 })
    }

    /// The next line that is not blank, without its end.
    fn next_line(&mut self) -> anyhow::Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.read_until(b'\n', &mut self.line);
            let read = read.with_context(|| format!("cannot read {}", self.place()))?;
            if read == 0 {
                return Ok(None);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.line.strip_suffix(b"\n").unwrap_or(&self.line)));
            }
        }
    }

    /// Where the line last read stands.
    fn place(&self) -> String {
        format!("{}, line {}", self.path.display(), self.number)
    }
}
