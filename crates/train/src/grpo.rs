//! A GRPO step: prompts, groups, scores, advantages, packs, updates, record.

use toolrl_grpo::{has_mixed_outcome, has_no_spread};
use toolrl_record::{StepDetail, StepMetrics};
use toolrl_rollout::Group;

use crate::curriculum::Curriculum;
use crate::learner::Learner;
use crate::rl::{Credit, Credited, Laps, Measured, Rl, Updates, spans};
use crate::score::Scored;
use crate::{CreditKind, GroupFilter, GrpoConfig, TrainError};

/// What GRPO trains with.
pub(crate) struct Grpo<'a> {
    pub rl: Rl<'a>,
    pub config: &'a GrpoConfig,
}

/// The groups of a step.
struct Sampled {
    /// Those that are trained on.
    used: Vec<Group<Scored>>,
    left_out: Vec<Group<Scored>>,
}

impl Grpo<'_> {
    /// Step `step` (from 1): the stages of the architecture, in order.
    pub(crate) async fn step(
        &self,
        learner: &mut Learner,
        curriculum: &mut Curriculum,
        step: u64,
    ) -> Result<(StepMetrics, Vec<Group<Credited>>), TrainError> {
        let mut laps = Laps::begin();
        let sampled = self.sample(learner, curriculum, step).await?;
        laps.end("sample");
        let credited = self.credit(learner, sampled);
        laps.end("credit");
        let lr = learner.lr(step - 1, self.config.rl.steps);
        let mut updates = Updates::default();
        for pass in 0..self.config.rl.passes {
            updates.begin_pass();
            for positions in self.rl.mini_batches(&credited, (step, pass)) {
                let mini_batch: Vec<_> = positions.into_iter().map(|at| &credited[at]).collect();
                self.rl.update(learner, (step, lr), &mini_batch, &mut updates)?;
            }
        }
        laps.end("update");
        let metrics = self.rl.metrics(step, &credited, &updates, curriculum.metrics(step));
        let detail = StepDetail::Grpo(metrics);
        Ok((self.rl.row((step, lr), learner, detail, &updates, laps), credited))
    }

    /// Groups of scored episodes, sampled until there are enough of those that are trained on.
    async fn sample(
        &self,
        learner: &Learner,
        curriculum: &mut Curriculum,
        step: u64,
    ) -> Result<Sampled, TrainError> {
        let mut sampled = Sampled { used: Vec::new(), left_out: Vec::new() };
        let enough = self.config.rl.prompts;
        for round in 0..self.config.groups.rounds() {
            for group in self.rl.sample(learner.policy(), curriculum, (step, round)).await? {
                let used = self.is_of_use(&group) && sampled.used.len() < enough;
                if used { &mut sampled.used } else { &mut sampled.left_out }.push(group);
            }
            if sampled.used.len() >= enough {
                break;
            }
        }
        Ok(sampled)
    }

    /// Whether a group is one of those that are trained on.
    fn is_of_use(&self, group: &Group<Scored>) -> bool {
        let rewarded = group.members.iter().filter(|member| !member.skipped);
        let rewards: Vec<f64> = rewarded.map(|member| member.reward).collect();
        let outcomes = group.members.iter().filter_map(|member| member.success);
        let groups = self.config.groups;
        groups == GroupFilter::All
            || (!has_no_spread(&rewards) && (!groups.reads_outcomes() || has_mixed_outcome(outcomes)))
    }

    /// Credits each member by comparison with the others of its group or of the step. Groups that are left out come
    /// last.
    fn credit(&self, learner: &Learner, sampled: Sampled) -> Vec<Group<Credited>> {
        let truncated = self.config.rl.truncated;
        let used = self.rl.measure(learner, sampled.used);
        let credits = match self.config.credit {
            CreditKind::Reply => self.by_reply(&used),
            CreditKind::Spans => self.by_span(&used),
        };
        let mut credits = credits.into_iter().flatten();
        let mut next = |m: Measured| m.credited(credits.next().unwrap_or(Credit::LeftOut), truncated);
        let used: Vec<_> = used.into_iter().map(|group| group.map(&mut next)).collect();
        let left_out = self.rl.measure(learner, sampled.left_out).into_iter();
        let left_out = left_out.map(|group| group.map(|m| m.credited(Credit::LeftOut, truncated)));
        used.into_iter().chain(left_out).collect()
    }

    /// The credit of each group's members. Those that a failed term leaves out are compared with none.
    fn by_reply(&self, used: &[Group<Measured>]) -> Vec<Vec<Credit>> {
        let groups: Vec<Vec<_>> = used.iter().map(|group| rewarded(group, Measured::reward)).collect();
        let advantages = self.config.advantage.of_batch(&groups, self.config.advantage_epsilon);
        let of_group = |(group, advantages): (&Group<Measured>, Vec<Option<f64>>)| {
            let mut advantages = advantages.into_iter();
            let credit = |member: &Measured| match member.scored.skipped {
                true => Credit::LeftOut,
                false => advantages.next().flatten().map_or(Credit::LeftOut, Credit::Reply),
            };
            group.members.iter().map(credit).collect()
        };
        used.iter().zip(advantages).map(of_group).collect()
    }

    fn by_span(&self, used: &[Group<Measured>]) -> Vec<Vec<Credit>> {
        let totals = used.iter().map(|group| rewarded(group, |member| member.reward().total));
        let totals: Vec<Vec<f64>> = totals.collect();
        // A recipe whose advantage has no scale is refused.
        let scales = self.config.advantage.scales(&totals, self.config.advantage_epsilon).unwrap_or_default();
        used.iter().zip(scales).map(|(group, scale)| spans::credit(group, &self.rl.chat, scale)).collect()
    }
}

/// Something of each member of a group that has a reward.
fn rewarded<T>(group: &Group<Measured>, of: impl Fn(&Measured) -> T) -> Vec<T> {
    group.members.iter().filter(|member| !member.scored.skipped).map(of).collect()
}

#[cfg(test)]
#[path = "grpo_tests.rs"]
mod tests;
