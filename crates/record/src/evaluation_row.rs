//! Rows of `evaluations.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step_log::StepRow;

/// What one evaluation of a run's policy gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Steps done; 0 for the policy that the run began with.
    pub step: u64,
    /// What it was evaluated on: `held-out`, `bfcl`, `api-bank`, `bamboogle`; with a number where a recipe names one
    /// several times.
    pub evaluation: String,
    /// Cases asked.
    pub cases: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// Scores by their names.
    pub scores: BTreeMap<String, f64>,
}

impl StepRow for EvaluationRow {
    fn step(&self) -> u64 {
        self.step
    }
}

impl EvaluationRow {
    /// Every score as TensorBoard names it.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let Self { evaluation, scores, .. } = self;
        scores.iter().map(|(name, value)| (format!("evaluation/{evaluation}/{name}"), *value)).collect()
    }
}
