//! What a step of reinforcement learning measures.

use std::collections::BTreeMap;
use std::time::Instant;

use toolrl_grpo::{has_mixed_outcome, has_no_spread};
use toolrl_record::{GrpoMetrics, ReplyLength, Spread, StepDetail, StepMetrics, TaskMetrics};
use toolrl_rollout::{FinishReason, Group, Segment};

use super::{Credited, Rl, Updates};
use crate::learner::Learner;
use crate::score::{Scored, count_failures};

/// Seconds by stage.
pub(crate) struct Laps {
    clock: Instant,
    seconds: BTreeMap<String, f64>,
}

impl Laps {
    pub(crate) fn begin() -> Self {
        Self { clock: Instant::now(), seconds: BTreeMap::new() }
    }

    /// Ends a stage; the next one begins.
    pub(crate) fn end(&mut self, stage: &str) {
        *self.seconds.entry(stage.to_owned()).or_default() += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
    }

    /// Adds what another thread did meanwhile.
    pub(crate) fn add(&mut self, stage: &str, seconds: f64) {
        *self.seconds.entry(stage.to_owned()).or_default() += seconds;
    }
}

impl Rl<'_> {
    /// What the step measures over all that it sampled.
    pub(crate) fn metrics(
        &self,
        step: u64,
        credited: &[Group<Credited>],
        updates: &Updates,
        tasks: Option<TaskMetrics>,
    ) -> GrpoMetrics {
        let members = || credited.iter().flat_map(|group| &group.members);
        let scored = || members().map(|member| &member.measured.scored);
        let rewarded = |scored: &&Scored| !scored.skipped;
        let rewards: Vec<f64> = scored().filter(rewarded).map(|s| s.reward).collect();
        let has_spread = |group: &Group<Credited>| {
            let scored = group.members.iter().map(|member| &member.measured.scored);
            !has_no_spread(&scored.filter(rewarded).map(|s| s.reward).collect::<Vec<f64>>())
        };
        let lengths = || scored().map(|s| s.episode.sampled());
        let stopped = scored().filter(|s| s.episode.finish() != FinishReason::Length).count();
        let n = members().count().max(1) as f64;
        let tokens_sampled = lengths().sum::<usize>();
        let tokens_trained = updates.by_update.iter().map(|u| u.tokens).sum::<u64>();
        let successes: Vec<f64> =
            scored().filter_map(|s| s.success).map(|s| f64::from(u8::from(s))).collect();
        let is_mixed = |group: &&Group<Credited>| {
            has_mixed_outcome(group.members.iter().filter_map(|member| member.measured.scored.success))
        };
        let left_out = |group: &&Group<Credited>| group.members.iter().all(|m| m.experience().is_none());
        GrpoMetrics {
            reward: Spread::of(&rewards),
            components: means(scored().flat_map(|s| &s.components)),
            reward_failures: count_failures(step, scored()),
            reply_length: ReplyLength { mean: tokens_sampled as f64 / n, max: lengths().max().unwrap_or(0) },
            stop_rate: stopped as f64 / n,
            groups: credited.len(),
            // A group of one is compared with nothing.
            zero_variance_groups: match self.group_size {
                1 => 0,
                _ => credited.iter().filter(|group| !has_spread(group)).count(),
            },
            left_out_groups: credited.iter().filter(left_out).count(),
            success_rate: self.judge.map(|_| Spread::of(&successes).mean),
            mixed_outcome_groups: self.judge.map(|_| credited.iter().filter(is_mixed).count()),
            tasks,
            update: updates.diagnostics,
            passes: if updates.by_pass.len() > 1 { updates.by_pass.clone() } else { Vec::new() },
            adaptive_kl: self.divergence.metrics(self.config, credited),
            logprob_gap: updates.gap.finish(),
            entropy: (tokens_trained > 0).then(|| updates.entropy / tokens_trained as f64),
            tokens_sampled: tokens_sampled as u64,
            sampler: self.of_sampler(step, credited),
        }
    }

    /// Figures of a sampler that is not this process's: its own, and how many steps older than the policy that is trained
    /// the one is that sampled, as a mean over turns.
    fn of_sampler(&self, step: u64, credited: &[Group<Credited>]) -> BTreeMap<String, f64> {
        let figures = self.sampler.figures().into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut figures: BTreeMap<_, _> = figures.collect();
        if self.recipe.sampler.is_remote() {
            let members = credited.iter().flat_map(|group| &group.members);
            let segments = members.flat_map(|member| &member.measured.scored.episode.segments);
            let lag = |segment: &Segment| match segment {
                Segment::Sampled { version, .. } => Some((step - 1).saturating_sub(*version) as f64),
                Segment::Given { .. } => None,
            };
            let lags: Vec<f64> = segments.filter_map(lag).collect();
            figures.insert("lag".to_owned(), lags.iter().sum::<f64>() / lags.len().max(1) as f64);
        }
        figures
    }

    /// The row of a step.
    pub(crate) fn row(
        &self,
        (step, lr): (u64, f64),
        learner: &Learner,
        detail: StepDetail,
        updates: &Updates,
        laps: Laps,
    ) -> StepMetrics {
        let n = updates.by_update.iter().filter(|u| !u.skipped).count().max(1) as f64;
        StepMetrics {
            step,
            detail,
            skipped_updates: updates.by_update.iter().filter(|u| u.skipped).count(),
            weights: learner.weights().map(|crc| format!("{crc:08x}")),
            loss: updates.by_update.iter().map(|u| u.loss).sum::<f64>() / n,
            grad_norm: updates.by_update.iter().map(|u| u.grad_norm).sum::<f64>() / n,
            lr,
            tokens_trained: updates.by_update.iter().map(|u| u.tokens).sum(),
            seconds: laps.seconds,
        }
    }
}

/// The mean of each name's values, over the replies that have one.
fn means<'a>(values: impl IntoIterator<Item = (&'a String, &'a f64)>) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (name, value) in values {
        let (sum, count) = sums.entry(name.clone()).or_insert((0.0, 0.0));
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect()
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
