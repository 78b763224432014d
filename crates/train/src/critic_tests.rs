//! The critic's updates: what they minimise, by which reply, and what one at fault leaves as it was.

use toolrl_policy::{Generation, Heads, ModelConfig};
use toolrl_testing::device;

use super::*;
use crate::pack::{Member, PackGroup, pack};
use crate::{GuardConfig, OnFault, OptimizerConfig};

fn critic(value_clip: f64) -> CriticLearner {
    guarded(value_clip, GuardConfig::default())
}

fn guarded(value_clip: f64, guards: GuardConfig) -> CriticLearner {
    let guard = Guard::of_critic(guards, &tempfile::tempdir().unwrap().keep());
    let model = ModelConfig::tiny(31, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    let policy = Policy::fresh(model, Generation::stopping_at(vec![0]), 3, &device());
    let optimizer = OptimizerConfig { lr: 1e-2, ..OptimizerConfig::default() };
    let config = CriticConfig { optimizer, value_clip, ..CriticConfig::default() };
    CriticLearner::of(&policy, &config, Activations::Keep, guard)
}

/// Replies out of their places' order, in packs of at most so many tokens.
fn packs(max_tokens: usize) -> Vec<Pack> {
    let member = |group, member, tokens| Member::whole(Place { group, member }, tokens);
    let groups = [
        PackGroup { prompt: &[3, 4, 5], members: vec![member(0, 1, &[6, 7, 8]), member(0, 0, &[9, 0])] },
        PackGroup { prompt: &[10, 11], members: vec![member(1, 0, &[12, 13, 14, 0])] },
    ];
    pack(&groups, max_tokens)
}

/// Returns of the replies by place, each token's its own.
fn targets(old_value: f32) -> Vec<Vec<Target>> {
    let target = |(number, len): (usize, usize)| Target {
        old_values: vec![old_value; len],
        returns: (0..len).map(|t| number as f64 - 0.25 * t as f64 + 0.5).collect(),
    };
    let [first, second, third] = [(0, 2), (2, 3), (1, 4)].map(target);
    vec![vec![first, second], vec![third]]
}

/// Half the mean squared error of the critic's values.
fn error(critic: &CriticLearner, targets: &[Vec<Target>]) -> f64 {
    let packs = packs(usize::MAX);
    let values = critic.values(&packs[0]);
    let returns = packs[0].members.iter().flat_map(|(place, _)| &targets[place.group][place.member].returns);
    let squares = values.iter().zip(returns).map(|(v, r)| (f64::from(*v) - r).powi(2));
    0.5 * squares.sum::<f64>() / values.len() as f64
}

#[test]
fn updates_bring_the_values_to_the_returns() {
    let (mut critic, targets) = (critic(f64::INFINITY), targets(0.0));
    assert_eq!(critic.values(&packs(usize::MAX)[0]), [0.0; 9], "a critic begins at 0");
    let start = error(&critic, &targets);
    for step in 1..=60 {
        let before = error(&critic, &targets);
        let done = critic.update((step, 1e-2), &packs(usize::MAX), &targets).unwrap();
        assert!((done.update.loss - before).abs() < 1e-5, "step {step}: {done:?}, the error is {before}");
        assert!(done.update.tokens == 9 && done.clipped == 0 && done.update.grad_norm > 0.0, "{done:?}");
    }
    let end = error(&critic, &targets);
    assert!(end < 0.2 * start, "{start} -> {end}");
    assert_eq!(critic.state().updates, 60);
}

#[test]
fn splitting_the_batch_changes_nothing() {
    let targets = targets(0.0);
    let (mut whole, mut parts) = (critic(0.5), critic(0.5));
    assert_eq!((packs(usize::MAX).len(), packs(6).len()), (1, 2));
    for step in 1..=3 {
        let a = whole.update((step, 1e-2), &packs(usize::MAX), &targets).unwrap();
        let b = parts.update((step, 1e-2), &packs(6), &targets).unwrap();
        assert!((a.update.loss - b.update.loss).abs() < 1e-5, "{a:?} {b:?}");
        assert!((a.update.grad_norm - b.update.grad_norm).abs() < 1e-4 * a.update.grad_norm, "{a:?} {b:?}");
        assert_eq!((a.update.tokens, a.clipped), (b.update.tokens, b.clipped));
    }
}

/// A value that went from its old one further than the clip allows, towards its return, is held: it has no gradient.
#[test]
fn values_are_held_near_the_old_ones() {
    for (clip, clipped) in [(0.5, 9), (2.0, 0)] {
        let mut critic = critic(clip);
        let mut targets = targets(-1.0);
        targets.iter_mut().flatten().flat_map(|target| &mut target.returns).for_each(|r| *r += 1.0);
        let done = critic.update((1, 1e-2), &packs(6), &targets).unwrap();
        assert_eq!((done.clipped, done.update.grad_norm == 0.0), (clipped, clipped == 9), "{clip}: {done:?}");
    }
}

#[test]
fn a_fault_is_told_with_its_step_and_changes_nothing() {
    let mut critic = critic(0.5);
    critic.update((1, 1e-2), &packs(6), &targets(0.0)).unwrap();
    let before = critic.state();
    let mut infinite = targets(0.0);
    infinite[1][0].returns[2] = f64::INFINITY;
    let failed = critic.update((2, 1e-2), &packs(6), &infinite);
    assert!(matches!(failed, Err(TrainError::Loss { step: 2, .. })), "{failed:?}");
    // The loss is a number, and its gradient none.
    let mut huge = targets(0.0);
    huge[1][0].returns[2] = 1e120;
    huge[1][0].old_values[2] = 0.0;
    let failed = critic.update((3, 1e-2), &packs(6), &huge);
    assert!(matches!(failed, Err(TrainError::Gradient { step: 3, .. })), "{failed:?}");
    assert_eq!(critic.state(), before);
    let nothing = critic.update((4, 1e-2), &[], &targets(0.0)[..0]).unwrap();
    assert!(nothing.update.tokens == 0 && critic.state() == before);
}

#[test]
fn a_fault_is_left_out_where_the_recipe_says_so() {
    let mut critic =
        guarded(0.5, GuardConfig { on_fault: OnFault::Skip, max_skips: 2, ..GuardConfig::default() });
    let before = critic.state();
    let mut infinite = targets(0.0);
    infinite[1][0].returns[2] = f64::INFINITY;
    for step in 1..=2 {
        assert!(critic.update((step, 1e-2), &packs(6), &infinite).unwrap().update.skipped);
    }
    assert_eq!(critic.state(), before);
    let failed = critic.update((3, 1e-2), &packs(6), &infinite);
    assert!(matches!(failed, Err(TrainError::TooManySkips { step: 3, .. })), "{failed:?}");
    assert!(!critic.update((4, 1e-2), &packs(6), &targets(0.0)).unwrap().update.skipped);
}

#[test]
fn a_restored_critic_goes_on_to_the_bit() {
    let (mut first, mut second) = (critic(0.5), critic(0.5));
    let targets = targets(0.0);
    first.update((1, 1e-2), &packs(6), &targets).unwrap();
    second.restore(first.state()).unwrap();
    for critic in [&mut first, &mut second] {
        critic.update((2, 1e-2), &packs(6), &targets).unwrap();
    }
    assert!(first.state() == second.state() && first.state().updates == 2);
}
