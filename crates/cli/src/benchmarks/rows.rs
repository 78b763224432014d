//! Rows that ask for a verdict: a JSON line for each.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::lines::Lines;

/// Writes the answer to each line of a file to standard output. What stands before a broken line is still
/// answered. A reader that has gone away ends the work, and is no error.
pub(crate) fn answer_each(
    path: &Path,
    mut answer: impl FnMut(&[u8]) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut lines = Lines::open(path)?;
    write_each(|| match lines.next_line()? {
        None => Ok(None),
        Some(line) => match answer(line) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => Err(error.context(lines.place())),
        },
    })
}

/// Writes lines to standard output until there is none.
pub(super) fn write_each(mut next: impl FnMut() -> anyhow::Result<Option<String>>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let ended = loop {
        match next() {
            Ok(Some(line)) => match writeln!(out, "{line}") {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written.context("cannot write the results")?,
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    match out.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ended,
        flushed => flushed.context("cannot write the results").and(ended),
    }
}
