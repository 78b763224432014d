//! A benchmark: cases in order, and the scores of their outcomes.

use serde::{Deserialize, Serialize};

use crate::{BenchmarkError, Case, Outcome};

/// A benchmark.
pub trait Benchmark: Sync {
    /// Its name in files and on the command line.
    fn name(&self) -> &'static str;

    /// How prompts are worded and replies are read, such as `toolrl`; with whose texts.
    fn handler(&self) -> String;

    /// The hash of its data and of what else decides a verdict: [`crate::of_data`].
    fn data(&self) -> String;

    /// Its cases in order.
    fn cases(&self) -> &[CaseKey];

    /// Begins the case at a place in [`cases`](Self::cases).
    ///
    /// # Errors
    /// When the case cannot be begun.
    fn open(&self, index: usize) -> Result<Box<dyn Case + '_>, BenchmarkError>;

    /// The benchmark's own scores over some outcomes, the most important first.
    fn scores(&self, outcomes: &[Outcome]) -> Vec<Score>;
}

/// A case's name and group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseKey {
    /// Its id, unique in the benchmark.
    pub id: String,
    /// The group that it counts in.
    pub group: String,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Its name, as papers have it.
    pub name: String,
    /// Its value; none where nothing that it counts was run.
    pub value: Option<f64>,
    /// What the value is.
    pub unit: Unit,
    /// What it counts otherwise than the official one, or leaves out; empty where nothing.
    #[serde(default)]
    pub note: String,
}

/// What a score's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share from 0 to 1, shown in percent.
    Share,
    /// A mean number.
    Mean,
}

impl Score {
    /// A share from 0 to 1.
    pub(crate) fn share(name: impl Into<String>, value: Option<f64>) -> Self {
        Self { name: name.into(), value, unit: Unit::Share, note: String::new() }
    }

    /// A mean number.
    pub(crate) fn mean(name: impl Into<String>, value: Option<f64>) -> Self {
        Self { unit: Unit::Mean, ..Self::share(name, value) }
    }

    /// The value as tables show it: percent, or a number, with two decimals.
    pub fn shown(&self) -> String {
        match (self.value, self.unit) {
            (None, _) => "-".into(),
            (Some(value), Unit::Share) => format!("{:.2}%", 100.0 * value),
            (Some(value), Unit::Mean) => format!("{value:.2}"),
        }
    }
}
