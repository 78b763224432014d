//! Reading datasets: the rows of a file, and the samples of its rows.

mod config;
mod encoding;
mod footer;
mod ids;
mod json;
mod limits;
mod source;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use toolrl_grammar::json::Value;

use crate::forms::{Form, Notes, Row};
use crate::{DataError, GoldReport, Place, Reading, Sample};
use limits::Limits;
use source::Source;

pub use config::{Faulty, LoadConfig, RefusedRow};
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

/// Reads a dataset with the default settings, as [`load_with`].
///
/// # Errors
/// As [`load_with`].
pub fn load(path: &Path) -> Result<Loaded, DataError> {
    load_with(path, LoadConfig::default())
}

/// Reads a dataset: a JSON array of rows, JSON lines (either may be packed by gzip or zstd) or Parquet, told apart by
/// content. Each row is of a [`Form`].
///
/// Fields that no form reads are passed over and counted, those that would change the prompt are refused.
/// Reading ends at 4 GiB of a file, of what it unpacks to or of a table in memory, and at 64 MiB of a line.
///
/// # Errors
/// [`DataError`] with the path and the row when the file is missing, damaged, empty or too large, or no row can be
/// read; and when one row cannot, by [`LoadConfig::faulty`].
pub fn load_with(path: &Path, config: LoadConfig) -> Result<Loaded, DataError> {
    let rows = rows(path)?;
    let (stem, notes) = (stem(path), Notes::default());
    let numbered = rows.iter().enumerate();
    let row = numbered.map(|(index, (at, value))| Row {
        path,
        at: *at,
        index,
        stem: &stem,
        value,
        notes: &notes,
        turns: config.turns,
    });
    let mut formed: Vec<_> = row.map(Row::formed).collect();
    settle_alpaca(&mut formed);
    let (mut samples, mut places, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    let (mut refused, mut first) = (Vec::new(), None);
    for (read, &(at, _)) in formed.into_iter().zip(&rows) {
        match read.and_then(|(row, form)| Ok((form, form.read(&row)?))) {
            Ok((form, read)) => {
                *counts.entry(form).or_insert(0) += 1;
                samples.extend(read);
                places.resize(samples.len(), at);
            }
            Err(error) if config.faulty == Faulty::Refuse => return Err(error),
            Err(error) => {
                refused.push(RefusedRow::of(path, at, &error));
                first.get_or_insert(error);
            }
        }
    }
    if samples.is_empty() {
        return Err(first.unwrap_or_else(|| DataError::Empty { path: path.into() }));
    }
    let repeated_ids = ids::make_unique(&mut samples);
    let reading = Reading { refused, ..notes.into_reading(counts, repeated_ids) };
    reading.tell(path);
    let gold = GoldReport::of(&samples);
    if !gold.unscorable.is_empty() {
        let (count, of) = (gold.unscorable.len(), gold.checked);
        tracing::warn!(path = %path.display(), count, of, "gold replies that cannot be scored");
    }
    Ok(Loaded { samples, places, gold, reading })
}

/// Where one row is Alpaca's, those that only lack its optional fields are so too.
fn settle_alpaca(rows: &mut [Result<(Row<'_>, Form), DataError>]) {
    if rows.iter().flatten().any(|(_, form)| *form == Form::Alpaca) {
        let instructions = rows.iter_mut().flatten().filter(|(_, form)| *form == Form::Instruction);
        instructions.for_each(|(_, form)| *form = Form::Alpaca);
    }
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
