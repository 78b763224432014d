//! Rows of `evaluations.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toolrl_eval::Rates;

use super::step_log::StepRow;

/// What one evaluation of a run's policy gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Steps done; 0 for the policy that the run began with.
    pub step: u64,
    /// What it was evaluated on: `held-out`, an evaluation set's name, `bfcl`, `api-bank`, `bamboogle`; the last three with a
    /// number where a recipe names one several times.
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
    /// The scores of an evaluation on tasks: of the greedy replies, and of sampled ones where there are some.
    pub fn scores_of(rates: &Rates) -> BTreeMap<String, f64> {
        let greedy = [
            ("mean reward", rates.mean_reward),
            ("format rate", rates.format_rate),
            ("exact-call rate", rates.exact_call_rate),
        ];
        let mut scores: BTreeMap<_, _> = greedy.map(|(name, value)| (name.to_owned(), value)).into();
        if let Some(sampled) = &rates.sampled {
            scores.extend(sampled.exact_calls.clone());
            scores.insert(format!("mean reward@{}", sampled.samples), sampled.mean_reward);
        }
        scores
    }

    /// What TensorBoard's names of scores begin with.
    pub const GROUP: &str = "evaluation/";

    /// Every score as TensorBoard names it.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let Self { evaluation, scores, .. } = self;
        scores.iter().map(|(name, value)| (format!("{}{evaluation}/{name}", Self::GROUP), *value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_and_names_its_scores_for_tensorboard() {
        let scores = [("exact match".to_owned(), 0.375), ("F1".to_owned(), 0.5)].into();
        let row =
            EvaluationRow { step: 3, evaluation: "bamboogle".to_owned(), cases: 125, seconds: 0.1, scores };
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<EvaluationRow>(&line).unwrap(), row, "{line}");
        let expected = [("evaluation/bamboogle/F1", 0.5), ("evaluation/bamboogle/exact match", 0.375)];
        assert_eq!(row.scalars(), expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
