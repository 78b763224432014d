//! JSON arrays and JSON lines, plain or gzipped.

use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::limits::Limits;
use super::read_within;
use crate::{DataError, Place};

/// The rows of a JSON array or of JSON lines, by the first character.
pub(super) fn rows(path: &Path, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<(Place, Value)>, DataError> {
    let text = text(path, bytes, limits)?;
    match text.trim_start().chars().next() {
        None => Err(DataError::Empty { path: path.into() }),
        Some('[') => array(path, &text),
        Some('{') => lines(path, &text, limits),
        Some(other) => Err(DataError::Format { path: path.into(), found: format!("{other:?} at its start") }),
    }
}

/// The file as text, unpacked where it is gzipped.
fn text(path: &Path, bytes: Vec<u8>, limits: &Limits) -> Result<String, DataError> {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        read_within(path, MultiGzDecoder::new(bytes.as_slice()), "bytes of the unpacked file", limits)?
    } else {
        bytes
    };
    String::from_utf8(bytes).map_err(|error| DataError::Format {
        path: path.into(),
        found: format!("bytes that are no UTF-8 at offset {}", error.utf8_error().valid_up_to()),
    })
}

fn array(path: &Path, text: &str) -> Result<Vec<(Place, Value)>, DataError> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|source| DataError::Json {
        path: path.into(),
        at: Place::Line(source.line()),
        source,
    })?;
    Ok(values.into_iter().enumerate().map(|(index, value)| (Place::Row(index + 1), value)).collect())
}

/// One JSON value a line; blank lines are passed over, and lines end in `\n` alone, since JSON strings may
/// hold other separators.
fn lines(path: &Path, text: &str, limits: &Limits) -> Result<Vec<(Place, Value)>, DataError> {
    let numbered = text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(index, line)| {
            let at = Place::Line(index + 1);
            if line.len() > limits.line {
                return Err(DataError::LongLine { path: path.into(), at, limit: limits.line });
            }
            let value = serde_json::from_str(line).map_err(|source| DataError::Json {
                path: path.into(),
                at,
                source,
            })?;
            Ok((at, value))
        })
        .collect()
}
