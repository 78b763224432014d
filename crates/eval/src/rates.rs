//! Means over tasks.

use std::collections::BTreeMap;

use crate::{Outcome, SampledRates};

/// Means over some tasks.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    /// How many tasks.
    pub tasks: usize,
    /// How many of them have no reward because scoring failed; the means of rewards leave them out.
    pub errors: usize,
    /// How many of them have a prompt that leaves no room in the policy's context; they are scored as empty replies.
    #[serde(default)]
    pub overlong: usize,
    /// Mean total reward, on the rubric's own scale.
    pub mean_reward: f64,
    /// Share of replies of the strict form, 0 to 1.
    pub format_rate: f64,
    /// Share of replies that make the gold calls and no other, 0 to 1; a task without a call is exact
    /// when none is made.
    pub exact_call_rate: f64,
    /// Mean of every reward component, by its term's name, over the tasks that have it.
    pub components: BTreeMap<String, f64>,
    /// How many replies each of the reward's terms failed on; terms that never failed are not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, usize>,
    /// What several sampled replies a task gave; none where the greedy ones alone were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<SampledRates>,
}

impl Rates {
    /// The means over these tasks' greedy replies, and over sampled ones; all zero for none.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let outcomes: Vec<_> = outcomes.into_iter().collect();
        let replies: Vec<_> = outcomes.iter().map(|outcome| &outcome.greedy).collect();
        let scores: Vec<_> = replies.iter().filter_map(|o| o.score.as_ref()).collect();
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let mut sums = BTreeMap::new();
        for (name, value) in scores.iter().flat_map(|s| &s.components) {
            let (sum, count) = sums.entry(name.clone()).or_insert((0.0, 0.0));
            *sum += value;
            *count += 1.0;
        }
        let mut failures = BTreeMap::new();
        for term in scores.iter().flat_map(|s| s.failures.keys()) {
            *failures.entry(term.clone()).or_insert(0) += 1;
        }
        let total: f64 = scores.iter().map(|s| s.total).sum();
        Self {
            tasks: outcomes.len(),
            errors: outcomes.len() - scores.len(),
            overlong: replies.iter().filter(|o| o.overlong).count(),
            mean_reward: total / scores.len().max(1) as f64,
            format_rate: share(replies.iter().filter(|o| o.well_formed).count(), outcomes.len()),
            exact_call_rate: share(replies.iter().filter(|o| o.exact).count(), outcomes.len()),
            components: sums.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect(),
            failures,
            sampled: SampledRates::of(&outcomes),
        }
    }
}
