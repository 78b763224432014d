//! Whom a step's members are compared with, and how long it samples.

use std::sync::Mutex;

use pollster::block_on;
use toolrl_grpo::{AdvantageKind, Reward};

use super::*;
use crate::ResampleBy::{Outcome, Reward as ByReward};
use crate::score::{Judge, Scored};
use crate::test_fixtures::{Script, World, cut_off, group, learner, scored, skipped};
use crate::{GroupFilter, RlConfig, Success};

fn config(groups: GroupFilter) -> GrpoConfig {
    GrpoConfig { rl: RlConfig { prompts: 2, ..RlConfig::default() }, groups, ..GrpoConfig::default() }
}

/// Two groups to train on, of which one has a skipped member, and one that is left out.
fn sampled() -> Sampled {
    let first =
        [scored(1.0, &[2]), skipped(scored(9.0, &[2])), scored(3.0, &[2]), cut_off(scored(2.5, &[2]))];
    let second = [scored(-1.0, &[2]), scored(4.0, &[2])];
    let left_out = vec![group(2, [scored(5.0, &[2]), scored(5.0, &[2])])];
    Sampled { used: vec![group(0, first), group(1, second)], left_out }
}

#[test]
fn members_are_credited_as_their_groups_rewards_are() {
    let world = World::new(3);
    let rewards: Vec<Vec<Reward>> =
        vec![[1.0, 3.0, 2.5].map(Reward::from).into(), vec![(-1.0).into(), 4.0.into()]];
    let kinds = [AdvantageKind::GroupNormalized, AdvantageKind::LeaveOneOut, AdvantageKind::BatchNormalized];
    for advantage in kinds {
        let config = GrpoConfig { advantage, ..config(GroupFilter::WithSpread) };
        let credited = Grpo { rl: world.rl(&config.rl), config: &config }.credit(&learner(), sampled());
        let expected = advantage.of_batch(&rewards, config.advantage_epsilon);
        let reply = |group: usize, member: usize| Credit::Reply(expected[group][member].unwrap());
        let credits: Vec<Vec<Credit>> = credited
            .iter()
            .map(|group| group.members.iter().map(|member| member.credit.clone()).collect())
            .collect();
        let first = vec![reply(0, 0), Credit::LeftOut, reply(0, 1), reply(0, 2)];
        let (second, last) = (vec![reply(1, 0), reply(1, 1)], vec![Credit::LeftOut; 2]);
        assert_eq!(credits, [first, second, last], "{advantage:?}");
        assert_eq!(credited.iter().map(|group| group.prompt.task).collect::<Vec<_>>(), [0, 1, 2]);
    }
}

/// A reply that was cut off and has no loss is still what the others are compared with.
#[test]
fn masked_replies_stay_in_the_comparison() {
    let world = World::new(3);
    let mut config = config(GroupFilter::All);
    let credits = |config: &GrpoConfig| -> Vec<Credit> {
        let credited = Grpo { rl: world.rl(&config.rl), config }.credit(&learner(), sampled());
        credited.into_iter().flat_map(|group| group.members).map(|member| member.credit).collect()
    };
    let mut kept = credits(&config);
    config.rl.truncated = crate::Truncated::Mask;
    assert!(matches!(kept[3], Credit::Reply(_)));
    kept[3] = Credit::LeftOut;
    assert_eq!(credits(&config), kept);
}

/// Of credit by span, the last token of a member without parts has all that its reply has.
#[test]
fn spans_are_scaled_as_replies_are() {
    let world = World::new(3);
    let by = |credit| {
        let config = GrpoConfig { credit, ..config(GroupFilter::All) };
        let credited = Grpo { rl: world.rl(&config.rl), config: &config }.credit(&learner(), sampled());
        credited.iter().flat_map(|group| &group.members).map(Credited::mean_advantage).collect::<Vec<f64>>()
    };
    let (spans, replies) = (by(CreditKind::Spans), by(CreditKind::Reply));
    assert!(spans.iter().zip(&replies).all(|(a, b)| (a - b).abs() < 1e-12), "{spans:?} {replies:?}");
    assert!(replies[0] < 0.0 && replies[1] == 0.0 && replies[2] > 0.0);
}

/// In round `r` the first `r` prompts have replies that differ; the rewards of the others are equal.
#[test]
fn sampling_stops_when_enough_groups_are_of_use() {
    let world = World::new(20);
    let cases = [
        (GroupFilter::All, 1, (2, 0)),
        (GroupFilter::WithSpread, 1, (0, 2)),
        (GroupFilter::Resample { max_rounds: 1, by: ByReward }, 1, (0, 2)),
        (GroupFilter::Resample { max_rounds: 2, by: ByReward }, 2, (1, 3)),
        // One of the third round's two is more than is needed.
        (GroupFilter::Resample { max_rounds: 9, by: ByReward }, 3, (2, 4)),
    ];
    for (groups, rounds, (used, left_out)) in cases {
        let config = config(groups);
        let seen = Mutex::new((0, Vec::new()));
        let says = |round, index, member: usize| {
            let mut seen = seen.lock().unwrap();
            if seen.0 != round {
                *seen = (round, Vec::new());
            }
            if !seen.1.contains(&index) {
                seen.1.push(index);
            }
            let differs = seen.1.iter().position(|&i| i == index).is_some_and(|at| at < round);
            (if differs { member } else { 7 }).to_string()
        };
        let script = Script { chat: world.chat.clone(), says, asked: Mutex::default() };
        let rl = Rl { sampler: &script, groups: config.groups, ..world.rl(&config.rl) };
        let mut supply = Supply::new(world.curriculum(&config.rl), 0);
        let sampled = block_on(rl.take(learner().policy(), &mut supply, 1)).unwrap();
        assert_eq!(script.asked.lock().unwrap().len(), rounds, "{groups:?}");
        assert_eq!((sampled.used.len(), sampled.left_out.len()), (used, left_out), "{groups:?}");
        let rewards = |group: &Group<Scored>| group.members.iter().map(|m| m.reward).collect::<Vec<_>>();
        if groups != GroupFilter::All {
            assert!(sampled.used.iter().all(|group| rewards(group) == [0.0, 1.0]), "{groups:?}");
        }
    }
}

/// A member that a failed term leaves out makes no spread.
#[test]
fn a_skipped_member_makes_no_group_of_use() {
    let (world, config) = (World::new(20), config(GroupFilter::WithSpread));
    let says = |_, _, member: usize| if member == 0 { "1".to_owned() } else { "none".to_owned() };
    let script = Script { chat: world.chat.clone(), says, asked: Mutex::default() };
    let rl = Rl { sampler: &script, groups: config.groups, ..world.rl(&config.rl) };
    let mut supply = Supply::new(world.curriculum(&config.rl), 0);
    let sampled = block_on(rl.take(learner().policy(), &mut supply, 1)).unwrap();
    assert_eq!((sampled.used.len(), sampled.left_out.len()), (0, 2));
}

/// In the first round all fail, with rewards that differ; in the second of two members one succeeds.
#[test]
fn groups_of_failures_alone_are_kept_by_their_spread_and_left_out_by_their_outcome() {
    let world = World::new(20);
    let cases = [
        (GroupFilter::WithSpread, 1, (2, 0)),
        (GroupFilter::MixedOutcome, 1, (0, 2)),
        (GroupFilter::Resample { max_rounds: 3, by: ByReward }, 1, (2, 0)),
        (GroupFilter::Resample { max_rounds: 3, by: Outcome }, 2, (2, 2)),
    ];
    for (groups, rounds, (used, left_out)) in cases {
        let config = config(groups);
        let says = |round: usize, _, member: usize| (2 * round + member).to_string();
        let script = Script { chat: world.chat.clone(), says, asked: Mutex::default() };
        let judge = Some(Judge { success: Success::Reward(3.0), dialect: world.chat.dialect() });
        let rl = Rl { sampler: &script, judge, groups, ..world.rl(&config.rl) };
        let mut supply = Supply::new(world.curriculum(&config.rl), 0);
        let sampled = block_on(rl.take(learner().policy(), &mut supply, 1)).unwrap();
        assert_eq!(script.asked.lock().unwrap().len(), rounds, "{groups:?}");
        assert_eq!((sampled.used.len(), sampled.left_out.len()), (used, left_out), "{groups:?}");
    }
}
