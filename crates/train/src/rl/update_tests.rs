//! Which members an update trains, by which share of the batch, and what is measured on the way.

use toolrl_grpo::{KlConfig, LossConfig};

use super::*;
use crate::rl::{Credit, Measured};
use crate::test_fixtures::{World, credited, group, learner, scored};
use crate::{PassOrder, RlConfig, Truncated};

fn left_out() -> Group<Credited> {
    group(0, [credited(2, Credit::LeftOut)])
}

fn used() -> Group<Credited> {
    group(0, [credited(2, Credit::LeftOut), credited(2, Credit::Reply(0.0))])
}

/// A group with an advantage on two tokens, none on three, and four tokens left out.
fn mixed() -> Group<Credited> {
    let members = [(2, Credit::Reply(1.0)), (3, Credit::Reply(0.0)), (4, Credit::LeftOut)];
    let credited = |(len, credit): (usize, Credit)| {
        let reference = Some(vec![-1.0; len]);
        let member = Measured::new(scored(0.0, &[len]), None, reference, &RlConfig::default(), 16);
        member.credited(credit, Truncated::Keep)
    };
    group(0, members.map(credited))
}

#[test]
fn mini_batches_are_whole_groups_up_to_the_last_that_is_trained_on() {
    let world = World::new(1);
    let lengths = |updates, credited: &[Group<Credited>]| -> Vec<usize> {
        let config = RlConfig { updates, ..RlConfig::default() };
        let batches = world.rl(&config).mini_batches(credited, (1, 0));
        // One after the other, from the first group, in every pass.
        assert!(batches.iter().flatten().copied().eq(0..batches.concat().len()));
        assert_eq!(batches, world.rl(&config).mini_batches(credited, (1, 1)));
        batches.iter().map(|batch| batch.len()).collect()
    };
    let step = [used(), left_out(), used(), used(), left_out(), left_out()];
    assert_eq!(lengths(1, &step), [4]);
    assert_eq!(lengths(2, &step), [2, 2]);
    assert_eq!(lengths(3, &step), [2, 1, 1], "shares differ by one at most");
    assert_eq!(lengths(4, &step), [1; 4]);
    assert_eq!(lengths(4, &[left_out(), used()]), [1, 1]);
    assert_eq!(lengths(2, &[left_out(), left_out()]), [0; 0]);
    let many = |n: usize| (0..n).map(|_| used()).collect::<Vec<_>>();
    assert_eq!(lengths(4, &many(6)), [2, 2, 1, 1]);
    assert_eq!(lengths(4, &many(10)), [3, 3, 2, 2]);
}

/// The first pass is in the order of sampling; each further one deals the same groups out anew.
#[test]
fn shuffled_passes_have_the_same_groups_in_orders_of_their_own() {
    let world = World::new(1);
    let config = RlConfig { updates: 3, pass_order: PassOrder::Shuffled, ..RlConfig::default() };
    let step: Vec<_> = (0..10).map(|_| used()).chain([left_out()]).collect();
    let of = |step_number, pass| world.rl(&config).mini_batches(&step, (step_number, pass));
    assert_eq!(of(1, 0).concat(), (0..10).collect::<Vec<_>>());
    for pass in [1, 2] {
        let batches = of(1, pass);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3, 3]);
        let mut groups = batches.concat();
        groups.sort_unstable();
        assert_eq!(groups, (0..10).collect::<Vec<_>>());
        assert_eq!(batches, of(1, pass), "a function of seed, step and pass");
    }
    assert!(of(1, 1) != of(1, 2) && of(1, 1) != of(2, 1) && of(1, 1) != of(1, 0));
}

/// The loss of an update at a learning rate of 0, with the tokens that it trained.
fn update(loss: LossConfig, groups: &[Group<Credited>]) -> Update {
    let (world, config) = (World::new(1), RlConfig { loss, ..RlConfig::default() });
    let mut updates = Updates::default();
    world.rl(&config).update(&mut learner(), (1, 0.0), groups, &mut updates).unwrap();
    assert_eq!(updates.diagnostics.tokens as u64, updates.by_update[0].tokens);
    updates.by_update[0]
}

#[test]
fn without_a_divergence_or_an_entropy_bonus_only_members_with_an_advantage_are_trained() {
    let plain = LossConfig::default();
    let cases = [
        (plain, 2),
        (LossConfig { entropy_coef: 0.1, ..plain }, 5),
        (LossConfig { kl: Some(KlConfig::default()), ..plain }, 5),
    ];
    for (loss, tokens) in cases {
        let update = update(loss, &[mixed()]);
        assert!(update.tokens == tokens && update.grad_norm > 0.0, "{loss:?}: {update:?}");
    }
}

/// A member without an advantage is not computed, and its tokens count in the mean; those of one left out do not.
#[test]
fn the_extent_counts_all_that_are_trained() {
    let alone = update(LossConfig::default(), &[group(0, [credited(2, Credit::Reply(1.0))])]);
    let among = update(LossConfig::default(), &[mixed()]);
    for (alone, among) in [(alone.loss, among.loss), (alone.grad_norm, among.grad_norm)] {
        assert!(alone != 0.0 && (among / alone - 0.4).abs() < 1e-4, "{among}, not 2/5 of {alone}");
    }
}

/// A mini-batch of equal rewards moves no weight, and says nothing of the gap either.
#[test]
fn an_update_without_an_advantage_leaves_the_gap_to_the_next() {
    let (world, config) = (World::new(1), RlConfig::default());
    let rl = world.rl(&config);
    let idle = [group(0, [credited(2, Credit::Reply(0.0))])];
    let moving = [group(0, [credited(2, Credit::Reply(1.0)), credited(3, Credit::Reply(-1.0))])];
    let gap = |batches: &[&[Group<Credited>]]| {
        let (mut learner, mut updates) = (learner(), Updates::default());
        for groups in batches {
            updates.begin_pass();
            rl.update(&mut learner, (1, 0.1), groups, &mut updates).unwrap();
        }
        let found = updates.gap.finish();
        (found.mean, found.max)
    };
    let expected = gap(&[&moving]);
    assert!(expected.0 > 0.0, "{expected:?}");
    assert_eq!(gap(&[&idle, &moving]), expected);
}

#[test]
fn the_gap_is_that_of_the_first_update_and_entropies_add_up() {
    let (world, config) = (World::new(1), RlConfig { micro_tokens: 1, ..RlConfig::default() });
    let (rl, mut learner) = (world.rl(&config), learner());
    let groups = [group(0, [credited(2, Credit::Reply(1.0)), credited(3, Credit::Reply(-1.0))])];
    let (mut gaps, mut entropies) = (Vec::new(), 0.0);
    for pack in rl.packs(&groups, |_| true) {
        let logp = learner.logprobs_under(learner.policy(), &pack);
        gaps.extend(logp.iter().zip(1..).map(|(&logp, i)| f64::from(logp + 0.25 * i as f32).abs()));
    }
    assert_eq!(gaps.len(), 5);
    let mut updates = Updates::default();
    for number in 1..=2 {
        // The weights of the second update are far from those that sampled.
        updates.begin_pass();
        rl.update(&mut learner, (1, 0.1), &groups, &mut updates).unwrap();
        let found = updates.gap.finish();
        assert!((found.mean - gaps.iter().sum::<f64>() / 5.0).abs() < 1e-5, "{number}: {found:?}");
        assert!((found.max - gaps.iter().copied().fold(0.0, f64::max)).abs() < 1e-5, "{number}: {found:?}");
        assert_eq!((updates.by_update.len(), updates.diagnostics.tokens), (number, 5 * number));
        assert!(updates.by_pass.len() == number && updates.by_pass.iter().all(|pass| pass.tokens == 5));
        let ratios: Vec<f64> = updates.by_pass.iter().map(|pass| pass.ratio_mean).collect();
        let mean = ratios.iter().sum::<f64>() / number as f64;
        assert!((updates.diagnostics.ratio_mean - mean).abs() < 1e-9 * mean, "{ratios:?}");
        // Of each token at most that of 259 equal probabilities.
        let more = updates.entropy - entropies;
        assert!(more > 0.0 && more <= 5.0 * 259f64.ln(), "{number}: {more}");
        entropies = updates.entropy;
    }
}

#[test]
fn no_update_has_no_gap() {
    assert_eq!(Updates::default().gap.finish(), LogprobGap::default());
}
