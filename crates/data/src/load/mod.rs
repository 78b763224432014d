//! Reading datasets in the released form.

mod encoding;
mod footer;
mod json;
mod limits;
mod source;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use toolrl_grammar::json::Value;

use crate::forms::{Form, Notes, Row};
use crate::{DataError, GoldReport, Place, Reading, Sample};
use limits::Limits;
use source::Source;

pub use encoding::Encoding;

/// A dataset as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The samples, in the file's order; never empty.
    pub samples: Vec<Sample>,
    /// Where each sample stands in the file.
    pub places: Vec<Place>,
    /// Which of them have a gold reply that cannot be scored against.
    pub gold: GoldReport,
    /// How the file was read.
    pub reading: Reading,
}

impl Loaded {
    /// The samples that can be scored: the default choice for RL.
    pub fn scorable(self) -> Vec<Sample> {
        self.gold.scorable(self.samples)
    }
}

/// Reads a dataset: a JSON array of rows, JSON lines (either may be packed by gzip or zstd) or Parquet, told apart by
/// content. Each row is of a [`Form`].
///
/// Fields that no form reads are passed over and counted, those that would change the prompt are refused.
/// Reading ends at 4 GiB of a file, of what it unpacks to or of a table in memory, and at 64 MiB of a line.
///
/// # Errors
/// [`DataError`] with the path and the row when the file is missing, damaged, empty, too large or of another form.
pub fn load(path: &Path) -> Result<Loaded, DataError> {
    let rows = rows(path)?;
    let (stem, notes) = (stem(path), Notes::default());
    let numbered = rows.iter().enumerate();
    let rows: Vec<_> = numbered
        .map(|(index, (at, value))| Row { path, at: *at, index, stem: &stem, value, notes: &notes })
        .collect();
    let (mut samples, mut places, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (row, form) in rows.iter().zip(forms(&rows)?) {
        *counts.entry(form).or_insert(0) += 1;
        samples.extend(form.read(row)?);
        places.resize(samples.len(), row.at);
    }
    if samples.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let repeated_ids = make_ids_unique(&mut samples);
    let reading = notes.into_reading(counts, repeated_ids);
    reading.tell(path);
    let gold = GoldReport::of(&samples);
    if !gold.unscorable.is_empty() {
        let (count, of) = (gold.unscorable.len(), gold.checked);
        tracing::warn!(path = %path.display(), count, of, "gold replies that cannot be scored");
    }
    Ok(Loaded { samples, places, gold, reading })
}

/// The form of each row. Where one row is Alpaca's, those that only lack its optional fields are so too.
fn forms(rows: &[Row<'_>]) -> Result<Vec<Form>, DataError> {
    let mut forms = rows.iter().map(Form::of).collect::<Result<Vec<_>, _>>()?;
    if forms.contains(&Form::Alpaca) {
        let instructions = forms.iter_mut().filter(|form| **form == Form::Instruction);
        instructions.for_each(|form| *form = Form::Alpaca);
    }
    Ok(forms)
}

/// Adds a number to ids that an earlier sample has. How many there were.
fn make_ids_unique(samples: &mut [Sample]) -> usize {
    let mut used: HashSet<String> = samples.iter().map(|sample| sample.id.clone()).collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut repeated = 0;
    for sample in samples {
        let number = times.entry(sample.id.clone()).or_insert(0);
        *number += 1;
        if *number == 1 {
            continue;
        }
        repeated += 1;
        let numbered = |number: &usize| format!("{}#{number}", sample.id);
        while used.contains(&numbered(number)) {
            *number += 1;
        }
        sample.id = numbered(number);
        used.insert(sample.id.clone());
    }
    repeated
}

/// The rows of a file of any supported kind, each with its place.
pub(crate) fn rows(path: &Path) -> Result<Vec<(Place, Value<'static>)>, DataError> {
    rows_within(path, &Limits::DEFAULT)
}

fn rows_within(path: &Path, limits: &Limits) -> Result<Vec<(Place, Value<'static>)>, DataError> {
    match source::read(path, limits)? {
        Source::Table(bytes) => table::rows(path, bytes, limits),
        Source::Text(text) => json::rows(path, &text, limits),
    }
}

/// The file's name without its extensions: it opens the ids of samples that bring none.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}
