//! What can go wrong with data.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::HeldOut;

/// Why data could not be read, written or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is neither JSON, JSON lines nor Parquet.
    #[error("{path}: expected a JSON array of rows, JSON lines or a Parquet file, found {found}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What stands at its start.
        found: String,
    },
    /// Text that is not JSON.
    #[error("{path}: {at}: not JSON: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: Place,
        /// What is wrong, and where in the line, or in an array's whole text.
        source: toolrl_grammar::SyntaxError,
    },
    /// A file that Git LFS has not fetched.
    #[error("{path}: a pointer of Git LFS, not the file: fetch it with `git lfs pull`")]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// A row of no form that is read.
    #[error("{path}: {at}: a row of no form that is read; its fields: {fields}. {tried}")]
    NoForm {
        /// The file.
        path: PathBuf,
        /// The row.
        at: Place,
        /// The row's fields.
        fields: String,
        /// What each form lacks.
        tried: String,
    },
    /// A field that would change the prompt or the gold reply, and that is not read.
    #[error("{path}: {at}: field `{field}` would change the prompt, and is not read here: {remedy}")]
    Unread {
        /// The file.
        path: PathBuf,
        /// The row.
        at: Place,
        /// The field, as a path from the row.
        field: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A row lacks a field or holds something else there.
    #[error("{path}: {at}: field `{field}`: expected {expected}, found {found}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The row.
        at: Place,
        /// The field, as a path from the row.
        field: String,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A file that is larger than what is read.
    #[error("{path}: {what}: more than {limit}, the most that is read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What of it is too large, with its unit.
        what: &'static str,
        /// The most that is read.
        limit: u64,
    },
    /// A line that is longer than what is read.
    #[error("{path}: {at}: longer than {limit} bytes, the most that is read")]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line.
        at: Place,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// A damaged or unsupported Parquet file.
    #[error("{path}: Parquet: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader or writer said.
        source: parquet::errors::ParquetError,
    },
    /// A file without a row.
    #[error("{path}: the dataset has no rows (a pipe gives its rows once)")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A held-out part that is no part of the samples.
    #[error("cannot hold out {held_out:?} of {samples} samples")]
    Split {
        /// What was asked.
        held_out: HeldOut,
        /// How many samples there are.
        samples: usize,
    },
    /// Settings from which no tool world can be made.
    #[error("tool world: `{field}`: expected {expected}, found {found}")]
    World {
        /// The setting.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Words of the wide world that cannot be read: a fault of its files.
    #[error("words of the wide world: {0}")]
    Words(toml::de::Error),
    /// Settings from which no dataset can be built.
    #[error("data build: `{field}`: expected {expected}, found {found}")]
    Build {
        /// The setting.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A gold reply that cannot be written.
    #[error("gold reply: {0}")]
    Gold(toolrl_grammar::WriteError),
    /// A prompt template that cannot be used.
    #[error("prompt template: {0}")]
    Template(minijinja::Error),
}

/// Where in a file something stands. It serializes as it displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, counted from 1.
    Line(usize),
    /// A row of an array or a table, counted from 1.
    Row(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
