//! Reading datasets in the released form.

mod json;
mod row;
mod table;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde_json::Value;

use crate::{DataError, GoldReport, Place, Sample};

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
/// # Errors
/// [`DataError`] with the path and the row when the file is missing, damaged, empty or of another form.
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
    let io = |source| DataError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    Read::take(&mut file, 4).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    let named_parquet = path.extension().is_some_and(|extension| extension == "parquet");
    if named_parquet || start == b"PAR1" {
        return table::rows(path, file);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    json::rows(path, bytes)
}

/// The file's name without its extensions: it opens the ids of samples that bring none.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}
