//! JSON arrays and JSON lines, as Python's `json` module reads them.

use std::path::Path;

use toolrl_grammar::json::{self, Value};

use super::limits::Limits;
use crate::{DataError, Place};

/// The rows of a JSON array or of JSON lines, by the first character.
pub(super) fn rows(
    path: &Path,
    text: &str,
    limits: &Limits,
) -> Result<Vec<(Place, Value<'static>)>, DataError> {
    match text.trim_start().chars().next() {
        None => Err(DataError::Empty { path: path.into() }),
        Some('[') => array(path, text),
        Some('{') => match lines(path, text, limits) {
            Err(error @ DataError::Json { .. }) => values(text).ok_or(error),
            rows => rows,
        },
        Some(other) => Err(DataError::Format { path: path.into(), found: format!("{other:?} at its start") }),
    }
}

/// Objects over several lines, one after another, as `jq` prints them. `None` where the first line is an object of its
/// own, or not all is JSON.
fn values(text: &str) -> Option<Vec<(Place, Value<'static>)>> {
    let mut rest = text.trim();
    let first = rest.lines().next().unwrap_or_default();
    if json::parse(first).is_ok() {
        return None;
    }
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let (value, len) = json::parse_prefix(rest).ok()?;
        rows.push((Place::Row(rows.len() + 1), value.into_owned()));
        rest = rest[len..].trim_start();
    }
    Some(rows)
}

fn array(path: &Path, text: &str) -> Result<Vec<(Place, Value<'static>)>, DataError> {
    let value = json::parse(text).map_err(|source| {
        let before = text.get(..source.span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        DataError::Json { path: path.into(), at: Place::Line(line), source }
    })?;
    let Value::List(rows) = value else {
        return Err(DataError::Empty { path: path.into() });
    };
    Ok(rows.into_iter().enumerate().map(|(index, row)| (Place::Row(index + 1), row.into_owned())).collect())
}

/// One JSON value a line; blank lines are passed over, and lines end in `\n` alone, since JSON strings may
/// hold other separators. A line may begin with a byte-order mark, as where files were joined.
fn lines(path: &Path, text: &str, limits: &Limits) -> Result<Vec<(Place, Value<'static>)>, DataError> {
    let lines = text.split('\n').map(|line| line.strip_prefix('\u{feff}').unwrap_or(line));
    let numbered = lines.enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(index, line)| {
            let at = Place::Line(index + 1);
            if line.len() > limits.line {
                return Err(DataError::LongLine { path: path.into(), at, limit: limits.line });
            }
            let value = json::parse(line);
            let value = value.map_err(|source| DataError::Json { path: path.into(), at, source })?;
            Ok((at, value.into_owned()))
        })
        .collect()
}
