//! The measurements of a step made by hand.

use toolrl_grpo::Diagnostics;

use super::*;
use crate::learner::Update;
use crate::rl::Credit;
use crate::test_fixtures::{World, credited, cut_off, group, learner, measured, scored, skipped};
use crate::{RlConfig, Truncated};

/// Six members: a group with spread, one without, and one that is left out, in which a member is skipped.
fn step() -> Vec<Group<Credited>> {
    let reply = |scored: Scored, credit| measured(scored).credited(credit, Truncated::Keep);
    let judged = |reward, component| {
        let components = BTreeMap::from([("judge".to_owned(), component)]);
        Scored { components, ..scored(reward, &[2]) }
    };
    let with_spread = [judged(1.0, 0.5), cut_off(scored(3.0, &[1, 3]))];
    let without = [judged(2.0, 1.0), scored(2.0, &[1])];
    let left_out = [scored(5.0, &[3]), skipped(scored(100.0, &[2]))];
    vec![
        group(0, with_spread.map(|member| reply(member, Credit::Reply(1.0)))),
        group(1, without.map(|member| reply(member, Credit::Reply(0.0)))),
        group(2, left_out.map(|member| reply(member, Credit::LeftOut))),
    ]
}

fn updates(by_update: Vec<Update>) -> Updates {
    let diagnostics = Diagnostics { tokens: 4, ratio_mean: 1.5, ..Diagnostics::default() };
    Updates { entropy: 6.0, diagnostics, by_update, ..Updates::default() }
}

#[test]
fn a_step_is_measured_over_all_that_it_sampled() {
    let (world, config) = (World::new(1), RlConfig::default());
    let update = Update { tokens: 2, ..Update::default() };
    let found = world.rl(&config).metrics(1, &step(), &updates(vec![update; 2]), None);
    // Of rewards 1, 3, 2, 2 and 5: the skipped member has none.
    assert_eq!(found.reward, Spread::of(&[1.0, 3.0, 2.0, 2.0, 5.0]));
    assert_eq!((found.reward.mean, found.reward.max), (2.6, 5.0));
    assert_eq!(found.components, BTreeMap::from([("judge".to_owned(), 0.75)]));
    assert_eq!(found.reward_failures, BTreeMap::from([("number".to_owned(), 1)]));
    // Of lengths 2, 4, 2, 1, 3 and 2, what was given not counted.
    assert_eq!(found.reply_length, ReplyLength { mean: 14.0 / 6.0, max: 4 });
    assert_eq!((found.tokens_sampled, found.stop_rate), (14, 5.0 / 6.0));
    assert_eq!((found.groups, found.zero_variance_groups, found.left_out_groups), (3, 2, 1));
    assert_eq!((found.entropy, found.update.ratio_mean), (Some(1.5), 1.5));
}

#[test]
fn a_group_of_one_is_compared_with_nothing() {
    let (world, config) = (World::new(1), RlConfig::default());
    let rl = Rl { group_size: 1, ..world.rl(&config) };
    let step = [group(0, [credited(2, Credit::Reply(1.0))]), group(1, [credited(2, Credit::Reply(0.0))])];
    let found = rl.metrics(1, &step, &Updates::default(), None);
    assert_eq!((found.zero_variance_groups, found.left_out_groups, found.entropy), (0, 0, None));
}

#[test]
fn a_step_of_nothing_has_no_nan() {
    let (world, config) = (World::new(1), RlConfig::default());
    let found = world.rl(&config).metrics(1, &[], &Updates::default(), None);
    assert_eq!(found, GrpoMetrics::default());
}

#[test]
fn a_row_has_the_mean_of_the_updates_that_were_made() {
    let (world, config, learner) = (World::new(1), RlConfig::default(), learner());
    let update = |loss, grad_norm, tokens| Update { loss, grad_norm, tokens, ..Update::default() };
    let skipped = Update { skipped: true, ..Update::default() };
    let updates = updates(vec![update(1.0, 2.0, 3), skipped, update(2.0, 4.0, 5)]);
    let (rl, mut laps) = (world.rl(&config), Laps::begin());
    for stage in ["sample", "update", "sample"] {
        laps.end(stage);
    }
    let row = rl.row((7, 0.5), &learner, StepDetail::Grpo(GrpoMetrics::default()), &updates, laps);
    assert_eq!((row.step, row.lr, row.loss, row.grad_norm), (7, 0.5, 1.5, 3.0));
    assert_eq!((row.tokens_trained, row.skipped_updates, row.weights), (8, 1, None));
    assert_eq!(row.seconds.keys().collect::<Vec<_>>(), ["sample", "update"]);
}
