//! A PPO step: prompts, replies, scores, values, advantages, updates of policy and critic, record.

use toolrl_grpo::{gae, whiten};
use toolrl_record::{CriticMetrics, PpoMetrics, StepDetail, StepMetrics};
use toolrl_rollout::Group;

use crate::critic::{CriticLearner, CriticUpdate, Target};
use crate::learner::Learner;
use crate::pack::by_place;
use crate::rl::{Credit, Credited, Laps, Measured, Rl, Sampled, Supply, Updates};
use crate::{PpoAdvantage, PpoConfig, TrainError};

/// Added to the deviation that advantages are divided by.
const EPSILON: f64 = 1e-8;

/// What PPO trains with.
pub(crate) struct Ppo<'a> {
    pub rl: Rl<'a>,
    pub config: &'a PpoConfig,
}

/// What a step's updates were.
struct Learned {
    credited: Vec<Group<Credited>>,
    updates: Updates,
    of_critic: Vec<CriticUpdate>,
    /// By the critic's values before them: [`explained_variance`].
    explained: f64,
}

impl Ppo<'_> {
    /// Step `step` (from 1).
    pub(crate) async fn step(
        &self,
        learner: &mut Learner,
        critic: &mut CriticLearner,
        supply: &mut Supply,
        step: u64,
    ) -> Result<(StepMetrics, Vec<Group<Credited>>), TrainError> {
        let mut laps = Laps::begin();
        let sampled = self.rl.take(learner.policy(), supply, step).await?;
        let mut ahead = self.rl.begin_ahead(learner.policy(), supply, step).await?;
        laps.end("sample");
        let learned = self.rl.beside(&mut ahead, &mut laps, |laps| {
            self.learn((&mut *learner, &mut *critic), step, sampled, laps)
        });
        let Learned { credited, updates, of_critic, explained } = learned?;
        self.rl.finish_ahead(supply, ahead).await?;
        laps.end("sample");
        let lr = learner.lr(step - 1, self.config.rl.steps);
        let n = of_critic.len().max(1) as f64;
        let tokens = of_critic.iter().map(|u| u.update.tokens).sum::<u64>().max(1) as f64;
        let critic = CriticMetrics {
            loss: of_critic.iter().map(|u| u.update.loss).sum::<f64>() / n,
            grad_norm: of_critic.iter().map(|u| u.update.grad_norm).sum::<f64>() / n,
            clip_fraction: of_critic.iter().map(|u| u.clipped).sum::<usize>() as f64 / tokens,
            explained_variance: explained,
            lr: critic.lr(step - 1, self.config.rl.steps),
        };
        let replies = self.rl.metrics(step, &credited, &updates, supply.curriculum().metrics(step));
        let detail = StepDetail::Ppo(PpoMetrics { replies, critic });
        let row = self.rl.row((step, lr), learner, detail, &updates, laps);
        let skipped_updates = row.skipped_updates + of_critic.iter().filter(|u| u.update.skipped).count();
        Ok((StepMetrics { skipped_updates, ..row }, credited))
    }

    /// Credits what was sampled, and updates the policy and the critic by it.
    fn learn(
        &self,
        (learner, critic): (&mut Learner, &mut CriticLearner),
        step: u64,
        sampled: Sampled,
        laps: &mut Laps,
    ) -> Result<Learned, TrainError> {
        let measured = self.rl.measure(learner, sampled.used);
        let (targets, advantages) = self.returns(critic, &measured);
        let truncated = self.config.rl.truncated;
        let advantages = match self.config.advantage {
            PpoAdvantage::AsEstimated => advantages,
            PpoAdvantage::Whitened => {
                let trained = measured.iter().flat_map(|g| &g.members).map(|m| !m.is_left_out(truncated));
                whitened(advantages, trained)
            }
        };
        let mut advantages = advantages.into_iter();
        let mut next =
            |m: Measured| m.credited(Credit::Tokens(advantages.next().unwrap_or_default()), truncated);
        let credited: Vec<_> = measured.into_iter().map(|group| group.map(&mut next)).collect();
        laps.end("credit");
        let explained = explained_variance(&targets);
        let (updates, of_critic) = self.updates(learner, critic, step, &credited, &targets, laps)?;
        Ok(Learned { credited, updates, of_critic, explained })
    }

    /// What the critic learns of each member, and the advantages of their tokens, member after member.
    fn returns(
        &self,
        critic: &CriticLearner,
        measured: &[Group<Measured>],
    ) -> (Vec<Vec<Target>>, Vec<Vec<f64>>) {
        let packs = self.rl.packs(measured, |_| true);
        let shape = measured.iter().map(|group| group.members.len());
        let values = by_place(&packs, shape, |pack| critic.values(pack));
        let mut advantages = Vec::new();
        let mut target = |(member, old_values): (&Measured, Vec<f32>)| {
            let wide: Vec<f64> = old_values.iter().map(|&v| f64::from(v)).collect();
            let (of_tokens, returns) = gae(&member.token_rewards(), &wide, self.config.gae);
            advantages.push(of_tokens);
            Target { old_values, returns }
        };
        let groups = measured.iter().zip(values);
        let targets =
            groups.map(|(group, values)| group.members.iter().zip(values).map(&mut target).collect());
        (targets.collect(), advantages)
    }

    /// The step's updates of critic and policy, pass by pass and mini-batch by mini-batch. While the critic warms up the
    /// policy stays as it is.
    fn updates(
        &self,
        learner: &mut Learner,
        critic: &mut CriticLearner,
        step: u64,
        credited: &[Group<Credited>],
        targets: &[Vec<Target>],
        laps: &mut Laps,
    ) -> Result<(Updates, Vec<CriticUpdate>), TrainError> {
        let steps = self.config.rl.steps;
        let (lr, critic_lr) = (learner.lr(step - 1, steps), critic.lr(step - 1, steps));
        let (mut updates, mut of_critic) = (Updates::default(), Vec::new());
        let is_trained = step > self.config.critic.warmup_steps;
        for pass in 0..self.config.rl.passes {
            if is_trained {
                updates.begin_pass();
            }
            for positions in self.rl.mini_batches(credited, (step, pass)) {
                let mini_batch: Vec<_> = positions.iter().map(|&at| &credited[at]).collect();
                let own: Vec<_> = positions.iter().map(|&at| &targets[at]).collect();
                let packs = self.rl.packs(mini_batch.iter().copied(), |m| m.experience().is_some());
                of_critic.push(critic.update((step, critic_lr), &packs, &own)?);
                laps.end("critic");
                if is_trained {
                    self.rl.update(learner, (step, lr), &mini_batch, &mut updates)?;
                }
                laps.end("update");
            }
        }
        Ok((updates, of_critic))
    }
}

/// Advantages with the mean 0 and the deviation 1 over the tokens of those members that are trained on; the others have
/// no part in it, and stay as they are.
fn whitened(mut advantages: Vec<Vec<f64>>, trained: impl Iterator<Item = bool>) -> Vec<Vec<f64>> {
    let places: Vec<usize> = trained.enumerate().filter(|(_, trained)| *trained).map(|(at, _)| at).collect();
    let mut taken: Vec<Vec<f64>> = places.iter().map(|&at| std::mem::take(&mut advantages[at])).collect();
    whiten(&mut taken, EPSILON);
    for (at, own) in places.into_iter().zip(taken) {
        advantages[at] = own;
    }
    advantages
}

/// `1 - var(return - value) / var(return)` over all tokens: 1 for a critic that foresees every return, 0 for one that
/// knows nothing. 0 where all returns are equal.
fn explained_variance(targets: &[Vec<Target>]) -> f64 {
    let variance = |of: &dyn Fn(f64, f64) -> f64| {
        let all = targets.iter().flatten().flat_map(|t| t.returns.iter().zip(&t.old_values));
        let values: Vec<f64> = all.map(|(&r, &v)| of(r, f64::from(v))).collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let of_returns = variance(&|r, _| r);
    if of_returns > 0.0 { 1.0 - variance(&|r, v| r - v) / of_returns } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toolrl_policy::Activations;

    use super::*;
    use crate::guard::Guard;
    use crate::learner::Update;
    use crate::test_fixtures::{World, credited, group, learner, policy};
    use crate::{CriticConfig, GuardConfig, PassOrder, RlConfig};

    #[test]
    fn members_that_are_not_trained_on_have_no_part_in_the_whitening() {
        let advantages = vec![vec![1.0, 3.0], vec![100.0], vec![-2.0]];
        let found = whitened(advantages, [true, false, true].into_iter());
        let mut alone = vec![vec![1.0, 3.0], vec![-2.0]];
        whiten(&mut alone, EPSILON);
        assert_eq!(found, [alone[0].clone(), vec![100.0], alone[1].clone()]);
    }

    #[test]
    fn policy_and_critic_have_the_same_passes() {
        let world = World::new(3);
        let rl = RlConfig { passes: 3, updates: 2, pass_order: PassOrder::Shuffled, ..RlConfig::default() };
        let critic_config = CriticConfig { warmup_steps: 1, ..CriticConfig::default() };
        let config = PpoConfig { rl, critic: critic_config, ..PpoConfig::default() };
        let ppo = Ppo { rl: world.rl(&config.rl), config: &config };
        let member = |task: usize| credited(2 + task, Credit::Tokens(vec![1.0; 2 + task]));
        let credited: Vec<_> = (0..3).map(|task| group(task, [member(task)])).collect();
        let target = |task: usize| Target { old_values: vec![0.0; 2 + task], returns: vec![1.0; 2 + task] };
        let targets: Vec<Vec<Target>> = (0..3).map(|task| vec![target(task)]).collect();
        let guard = Guard::new(GuardConfig::default(), Path::new(""));
        let mut critic = CriticLearner::of(&policy(3), &config.critic, Activations::Keep, guard);
        let mut learner = learner();
        let mut laps = Laps::begin();
        for (step, of_policy, of_critic) in [(1, 0, 6), (2, 6, 12)] {
            let (updates, critics) =
                ppo.updates(&mut learner, &mut critic, step, &credited, &targets, &mut laps).unwrap();
            assert_eq!((learner.state().updates, critic.state().updates), (of_policy, of_critic));
            // Each pass has each token once.
            let of_pass = |pass: &[Update]| pass.iter().map(|u| u.tokens).sum::<u64>();
            let tokens = |all: &[Update]| all.chunks(2).map(of_pass).collect::<Vec<u64>>();
            let critics: Vec<Update> = critics.iter().map(|u| u.update).collect();
            assert_eq!(tokens(&critics), [9; 3]);
            assert_eq!(tokens(&updates.by_update), vec![9; of_policy as usize / 2]);
            assert_eq!(updates.by_pass.len(), of_policy as usize / 2);
        }
    }

    #[test]
    fn explained_variance_is_1_of_the_truth_and_0_of_a_constant() {
        let target = |old_values: Vec<f32>| Target { old_values, returns: vec![1.0, -2.0, 4.0] };
        assert_eq!(explained_variance(&[vec![target(vec![1.0, -2.0, 4.0])]]), 1.0);
        assert_eq!(explained_variance(&[vec![target(vec![0.5; 3])]]), 0.0);
        // Variances times three: returns 18, differences (0, 0, 3) 6.
        assert!(
            (explained_variance(&[vec![target(vec![1.0, -2.0, 1.0])]]) - (1.0 - 6.0 / 18.0)).abs() < 1e-12
        );
        assert_eq!(explained_variance(&[]), 0.0);
    }
}
