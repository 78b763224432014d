//! What several sampled replies a task give.

use std::collections::BTreeMap;

use crate::{Outcome, Rates, pass_at_k};

/// Means over some tasks with several sampled replies each.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SampledRates {
    /// Replies a task.
    pub samples: usize,
    /// Mean total reward of the replies that have one, on the rubric's own scale.
    pub mean_reward: f64,
    /// Of exact calls, 0 to 1: `avg@n`, the share of right replies (others call it mean@n), and `pass@k` for k = 2, 4, 8
    /// and so on up to `pass@n`, the mean over tasks of [`pass_at_k`].
    pub exact_calls: BTreeMap<String, f64>,
}

impl SampledRates {
    /// The means over these tasks; none where they have no sampled replies.
    pub(crate) fn of(outcomes: &[&Outcome]) -> Option<Self> {
        let samples = outcomes.iter().map(|outcome| outcome.samples.len()).min().filter(|n| *n > 0)?;
        let right = |outcome: &Outcome| outcome.samples.iter().filter(|reply| reply.exact).count();
        let pass = |k: usize| {
            let of = |outcome: &&Outcome| pass_at_k(outcome.samples.len(), right(outcome), k);
            outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64
        };
        let rewards = outcomes.iter().flat_map(|o| &o.samples).filter_map(|r| Some(r.score.as_ref()?.total));
        let (count, sum) = rewards.fold((0_u32, 0.0), |(count, sum), reward| (count + 1, sum + reward));
        let powers = (1..).map(|power| 1 << power).take_while(|k| *k < samples);
        let passes = powers.chain([samples]).map(|k| (format!("pass@{k}"), pass(k)));
        Some(Self {
            samples,
            mean_reward: sum / f64::from(count.max(1)),
            exact_calls: std::iter::once((Self::avg_name(samples), pass(1))).chain(passes).collect(),
        })
    }

    fn avg_name(samples: usize) -> String {
        format!("avg@{samples}")
    }

    /// Whether two evaluations have as many sampled replies a task.
    pub fn comparable(a: &Rates, b: &Rates) -> bool {
        let samples = |rates: &Rates| rates.sampled.as_ref().map(|sampled| sampled.samples);
        samples(a).is_some() && samples(a) == samples(b)
    }

    /// `avg@n` and `pass@n`, each with its name.
    pub fn shown(&self) -> [(String, f64); 2] {
        let names = [Self::avg_name(self.samples), format!("pass@{}", self.samples)];
        names.map(|name| {
            let rate = self.exact_calls.get(&name).copied().unwrap_or_default();
            (name, rate)
        })
    }
}
