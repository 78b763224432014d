//! A GRPO step: prompts, groups, scores, advantages, packs, updates, record.

use toolrl_record::{StepDetail, StepMetrics};
use toolrl_rollout::Group;

use crate::learner::Learner;
use crate::rl::{Credit, Credited, Laps, Measured, Rl, Sampled, Supply, Updates, spans};
use crate::{CreditKind, GrpoConfig, TrainError};

/// What GRPO trains with.
pub(crate) struct Grpo<'a> {
    pub rl: Rl<'a>,
    pub config: &'a GrpoConfig,
}

impl Grpo<'_> {
    /// Step `step` (from 1): the stages of the architecture, in order.
    pub(crate) async fn step(
        &self,
        learner: &mut Learner,
        supply: &mut Supply,
        step: u64,
    ) -> Result<(StepMetrics, Vec<Group<Credited>>), TrainError> {
        let mut laps = Laps::begin();
        let sampled = self.rl.take(learner.policy(), supply, step).await?;
        let mut ahead = self.rl.begin_ahead(learner.policy(), supply, step).await?;
        laps.end("sample");
        let lr = learner.lr(step - 1, self.config.rl.steps);
        let learned =
            self.rl.beside(&mut ahead, &mut laps, |laps| self.learn(learner, (step, lr), sampled, laps));
        let (credited, updates) = learned?;
        self.rl.finish_ahead(supply, ahead).await?;
        laps.end("sample");
        let metrics = self.rl.metrics(step, &credited, &updates, supply.curriculum().metrics(step));
        let detail = StepDetail::Grpo(metrics);
        Ok((self.rl.row((step, lr), learner, detail, &updates, laps), credited))
    }

    /// Credits what was sampled, and updates the policy by it.
    fn learn(
        &self,
        learner: &mut Learner,
        (step, lr): (u64, f64),
        sampled: Sampled,
        laps: &mut Laps,
    ) -> Result<(Vec<Group<Credited>>, Updates), TrainError> {
        let credited = self.credit(learner, sampled);
        laps.end("credit");
        let mut updates = Updates::default();
        for pass in 0..self.config.rl.passes {
            updates.begin_pass();
            for positions in self.rl.mini_batches(&credited, (step, pass)) {
                let mini_batch: Vec<_> = positions.into_iter().map(|at| &credited[at]).collect();
                self.rl.update(learner, (step, lr), &mini_batch, &mut updates)?;
            }
        }
        laps.end("update");
        Ok((credited, updates))
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
