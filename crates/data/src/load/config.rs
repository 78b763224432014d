//! Settings of reading, and rows that it refused.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{DataError, Place, Turns};

/// How a dataset is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadConfig {
    /// Which replies of a dialogue are samples. Default: each.
    pub turns: Turns,
    /// What becomes of a row that cannot be read. Default: it ends the reading.
    pub faulty: Faulty,
}

/// What becomes of a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Faulty {
    /// It ends the reading.
    #[default]
    Refuse,
    /// It is left out and counted.
    LeaveOut,
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// Where it stands.
    pub at: Place,
    /// Why it cannot be read.
    pub reason: String,
}

impl RefusedRow {
    pub(super) fn of(path: &Path, at: Place, error: &DataError) -> Self {
        let whole = error.to_string();
        let reason = whole.strip_prefix(&format!("{}: {at}: ", path.display())).unwrap_or(&whole);
        Self { at, reason: reason.to_owned() }
    }
}
