//! Reading datasets in the released form.

mod footer;
mod json;
mod limits;
mod row;
mod table;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde_json::Value;

use crate::{DataError, GoldReport, Place, Sample};
use limits::Limits;

/// A dataset as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The samples, in the file's order; never empty.
    pub samples: Vec<Sample>,
    /// Where each sample stands in the file.
    pub places: Vec<Place>,
    /// Which of them have a gold reply that cannot be scored against.
    pub gold: GoldReport,
}

impl Loaded {
    /// The samples that can be scored: the default choice for RL.
    pub fn scorable(self) -> Vec<Sample> {
        self.gold.scorable(self.samples)
    }
}

/// Reads a dataset: a JSON array of rows, JSON lines (either may be gzipped) or Parquet, told apart by
/// content. A row is `{instruction, input, output}` or `{prompt, reward_model: {ground_truth}, extra_info}`.
///
/// Reading ends at 4 GiB of a file, of what it unpacks to or of a table in memory, and at 64 MiB of a line.
///
/// # Errors
/// [`DataError`] with the path and the row when the file is missing, damaged, empty, too large or of another form.
pub fn load(path: &Path) -> Result<Loaded, DataError> {
    let rows = rows(path)?;
    let stem = stem(path);
    let samples = rows
        .iter()
        .enumerate()
        .map(|(index, (at, value))| row::Row { path, at: *at, value }.sample(&stem, index))
        .collect::<Result<Vec<_>, _>>()?;
    if samples.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let gold = GoldReport::of(&samples);
    if !gold.unscorable.is_empty() {
        let (count, of) = (gold.unscorable.len(), gold.checked);
        tracing::warn!(path = %path.display(), count, of, "gold replies that cannot be scored");
    }
    let places = rows.iter().map(|(at, _)| *at).collect();
    Ok(Loaded { samples, places, gold })
}

/// The rows of a file of any supported form, each with its place.
pub(crate) fn rows(path: &Path) -> Result<Vec<(Place, Value)>, DataError> {
    rows_within(path, &Limits::DEFAULT)
}

fn rows_within(path: &Path, limits: &Limits) -> Result<Vec<(Place, Value)>, DataError> {
    let io = |source| DataError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    Read::take(&mut file, 4).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    let named_parquet = path.extension().is_some_and(|extension| extension == "parquet");
    if named_parquet || start == b"PAR1" {
        return table::rows(path, file, limits);
    }
    let bytes = read_within(path, file, "bytes of the file", limits)?;
    json::rows(path, bytes, limits)
}

/// All that a reader gives, where that is not too much.
fn read_within(
    path: &Path,
    reader: impl Read,
    what: &'static str,
    limits: &Limits,
) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let read = reader.take(limits.bytes + 1).read_to_end(&mut bytes);
    let read = read.map_err(|source| DataError::Io { path: path.into(), source })?;
    if read as u64 > limits.bytes {
        return Err(DataError::TooLarge { path: path.into(), what, limit: limits.bytes });
    }
    Ok(bytes)
}

/// The file's name without its extensions: it opens the ids of samples that bring none.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}
