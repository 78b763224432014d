//! A GRPO step: prompts, groups, scores, advantages, packs, updates, record.

use toolrl_grpo::has_no_spread;
use toolrl_record::{StepDetail, StepMetrics};

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
    used: Vec<Scored>,
    left_out: Vec<Scored>,
}

impl Grpo<'_> {
    /// Step `step` (from 1): the stages of the architecture, in order.
    pub(crate) async fn step(
        &self,
        learner: &mut Learner,
        step: u64,
    ) -> Result<(StepMetrics, Vec<Credited>), TrainError> {
        let mut laps = Laps::begin();
        let sampled = self.sample(learner, step).await?;
        laps.end("sample");
        let credited = self.credit(learner, sampled);
        laps.end("credit");
        let lr = learner.lr(step - 1, self.config.rl.steps);
        let mut updates = Updates::default();
        for mini_batch in self.rl.mini_batches(&credited) {
            self.rl.update(learner, (step, lr), mini_batch, &mut updates)?;
        }
        laps.end("update");
        let detail = StepDetail::Grpo(self.rl.metrics(step, &credited, &updates));
        Ok((self.rl.row((step, lr), learner, detail, &updates, laps), credited))
    }

    /// Groups of scored replies, sampled until there are enough of those that are trained on.
    async fn sample(&self, learner: &Learner, step: u64) -> Result<Sampled, TrainError> {
        let mut sampled = Sampled { used: Vec::new(), left_out: Vec::new() };
        let enough = self.config.rl.prompts * self.config.group_size;
        for round in 0..self.config.groups.rounds() {
            for group in self.rl.sample(learner.policy(), step, round).await? {
                let rewarded = group.iter().filter(|reply| !reply.skipped);
                let rewards: Vec<f64> = rewarded.map(|reply| reply.reward).collect();
                let of_use = self.config.groups == GroupFilter::All || !has_no_spread(&rewards);
                let used = of_use && sampled.used.len() < enough;
                if used { &mut sampled.used } else { &mut sampled.left_out }.extend(group);
            }
            if sampled.used.len() >= enough {
                break;
            }
        }
        Ok(sampled)
    }

    /// Credits each reply by comparison with the others of its group or of the step. Groups that are left out come
    /// last.
    fn credit(&self, learner: &Learner, sampled: Sampled) -> Vec<Credited> {
        let truncated = self.config.rl.truncated;
        let used = self.rl.measure(learner, sampled.used);
        let credits = match self.config.credit {
            CreditKind::Reply => self.by_reply(&used),
            CreditKind::Spans => self.by_span(&used),
        };
        let used = used.into_iter().zip(credits).map(|(m, credit)| m.credited(credit, truncated));
        let left_out = self.rl.measure(learner, sampled.left_out).into_iter();
        used.chain(left_out.map(|m| m.credited(Credit::LeftOut, truncated))).collect()
    }

    /// Replies that a failed term leaves out are compared with none.
    fn by_reply(&self, used: &[Measured]) -> Vec<Credit> {
        let groups = used.chunks(self.config.group_size).map(|group| rewarded(group, Measured::reward));
        let groups: Vec<Vec<_>> = groups.collect();
        let advantages = self.config.advantage.of_batch(&groups, self.config.advantage_epsilon);
        let mut advantages = advantages.into_iter().flatten();
        let credit = |reply: &Measured| match reply.scored.skipped {
            true => Credit::LeftOut,
            false => Credit::Reply(advantages.next().unwrap_or_default()),
        };
        used.iter().map(credit).collect()
    }

    fn by_span(&self, used: &[Measured]) -> Vec<Credit> {
        let groups = used.chunks(self.config.group_size);
        let totals = groups.clone().map(|group| rewarded(group, |reply| reply.reward().total));
        let totals: Vec<Vec<f64>> = totals.collect();
        // A recipe whose advantage has no scale is refused.
        let scales = self.config.advantage.scales(&totals, self.config.advantage_epsilon).unwrap_or_default();
        groups.zip(scales).flat_map(|(group, scale)| spans::credit(group, &self.rl.chat, scale)).collect()
    }
}

/// Something of each reply of a group that has a reward.
fn rewarded<T>(group: &[Measured], of: impl Fn(&Measured) -> T) -> Vec<T> {
    group.iter().filter(|reply| !reply.scored.skipped).map(of).collect()
}
