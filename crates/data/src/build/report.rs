//! What a build did with every row.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Cause, SourceForm};
use crate::{Place, TaskKind};

/// What a build did: nothing that was read is missing here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildReport {
    /// The seed.
    pub seed: u64,
    /// How many samples were made to train on.
    pub samples: usize,
    /// How many more were made to evaluate on.
    pub held_out: usize,
    /// How many there are of each kind to train on; kinds without a sample are left out.
    pub by_kind: BTreeMap<TaskKind, usize>,
    /// Each source, in the order of the settings.
    pub sources: Vec<SourceReport>,
}

/// What became of one source. The sums hold:
/// `rows` are refused or read; the `replies` of those read are `replies_refused`, `duplicates`, `used`,
/// `taken` or `left_over`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceReport {
    /// What its samples' ids begin with.
    pub name: String,
    /// How it was read.
    pub form: SourceForm,
    /// The file.
    pub file: PathBuf,
    /// Rows of the file.
    pub rows: usize,
    /// Rows of which nothing could be made.
    pub rows_refused: usize,
    /// Replies in the rows that were read: each is a step.
    pub replies: usize,
    /// Replies that were not converted.
    pub replies_refused: usize,
    /// Steps of equal prompt and gold reply as one before them in this file.
    pub duplicates: usize,
    /// Steps that an earlier source took.
    pub used: usize,
    /// How many samples were asked for; `None` for all.
    pub asked: Option<usize>,
    /// How many samples were taken.
    pub taken: usize,
    /// How many of those are without their right tools.
    pub irrelevance: usize,
    /// Steps that nothing was wrong with and that were not asked for.
    pub left_over: usize,
    /// Fields that are not read, each with the number of rows that fill it.
    pub passed_over: BTreeMap<String, usize>,
    /// What was not converted, by cause.
    pub refused: Vec<Refused>,
}

impl SourceReport {
    /// How many samples fewer than asked there are.
    pub fn missing(&self) -> usize {
        self.asked.unwrap_or(0).saturating_sub(self.taken)
    }
}

/// Rows or replies that were not converted for one cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// The cause in words.
    pub reason: String,
    /// How many: rows, or replies of rows, by [`Cause::is_of_row`].
    pub count: usize,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A row or reply that was not converted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The row.
    pub place: Place,
    /// Which of the row's replies, counted from 1; `None` for a whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<usize>,
    /// What was found.
    pub detail: String,
}

impl Refused {
    pub(super) fn none(cause: Cause) -> Self {
        Self { cause, reason: cause.to_string(), count: 0, examples: Vec::new() }
    }

    pub(super) fn add(&mut self, example: Example) {
        const EXAMPLES: usize = 5;
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example);
        }
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reply {
            Some(reply) => write!(f, "{}, reply {reply}: {}", self.place, self.detail),
            None => write!(f, "{}: {}", self.place, self.detail),
        }
    }
}
