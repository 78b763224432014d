//! What a step samples and from what, and whose log-probabilities are whose.

use std::sync::Mutex;

use pollster::block_on;
use toolrl_grpo::LossConfig;
use toolrl_rollout::StreamKey;

use super::sampling::Speaker;
use super::*;
use crate::test_fixtures::{Script, World, group, learner, policy, scored};

#[test]
fn a_task_that_comes_again_has_another_index() {
    let tasks = World::new(3).tasks;
    let found = prompts(&[2, 0, 2, 2, 0], &tasks);
    let places: Vec<_> = found.iter().map(|prompt| (prompt.task, prompt.index)).collect();
    assert_eq!(places, [(2, 2), (0, 0), (2, 5), (2, 8), (0, 3)]);
    for prompt in &found {
        assert_eq!(prompt.tokens, tasks[prompt.task].prompt.tokens);
    }
}

/// Every prompt's members are scored by what they said; each round asks for other prompts with other random numbers, and
/// the same round of the same step for the same ones.
#[test]
fn rounds_of_a_step_are_apart() {
    let (world, config) = (World::new(40), RlConfig { prompts: 3, ..RlConfig::default() });
    let says = |_, index: u64, member: usize| format!("{}", index as f64 / 8.0 + 0.5 * member as f64);
    let script = Script { chat: world.chat.clone(), says, asked: Mutex::default() };
    let rl = Rl { sampler: &script, ..world.rl(&config) };
    let policy = policy(3);
    for (step, round) in [(4, 0), (4, 1), (4, 0), (5, 0)] {
        let mut curriculum = world.curriculum(&config);
        let groups = {
            let drawn = rl.draw(&mut curriculum, (step, round));
            let speaker = Speaker::Policy(&policy, step - 1);
            block_on(rl.rounds(speaker, &mut curriculum, (drawn, None))).unwrap().used
        };
        assert_eq!(groups.len(), 3);
        for group in &groups {
            let rewards: Vec<f64> = group.members.iter().map(|member| member.reward).collect();
            let expected = group.prompt.task as f64 / 8.0;
            assert_eq!(rewards, [expected, expected + 0.5]);
        }
    }
    let asked = script.asked.into_inner().unwrap();
    let [first, other_round, again, other_step] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(first, again);
    assert_eq!((first.0, first.1), (3, StreamKey { seed: 0, step: 4 }));
    assert_eq!((other_step.0, other_step.1), (4, StreamKey { seed: 0, step: 5 }));
    assert!(other_round.1.seed != first.1.seed && other_round.1.step == 4, "{asked:?}");
    assert!(other_round.2 != first.2 && other_step.2 != first.2, "{asked:?}");
}

#[test]
fn members_are_measured_under_the_policies_that_the_settings_ask_for() {
    let learner = learner();
    let step = || vec![group(0, [scored(1.0, &[2, 3]), scored(2.0, &[1])]), group(1, [scored(3.0, &[4])])];
    let world = World::new(2);
    let measure = |sampler_ratio_cap, reference: Option<Policy>, micro_tokens| {
        let loss = LossConfig { sampler_ratio_cap, ..LossConfig::default() };
        let config = RlConfig { loss, micro_tokens, ..RlConfig::default() };
        let divergence = Divergence { reference, ..Divergence::default() };
        let rl = Rl { divergence, ..world.rl(&config) };
        let members = rl.measure(&learner, step()).into_iter().flat_map(|group| group.members);
        let credited = members.map(|m| m.credited(Credit::Reply(1.0), crate::Truncated::Keep));
        credited.collect::<Vec<_>>()
    };
    // The log-probabilities of a member by itself, under a policy.
    let alone = |policy: &Policy, g: usize, m: usize| {
        let config = RlConfig::default();
        let one =
            Group { prompt: step()[g].prompt.clone(), members: vec![step().remove(g).members.remove(m)] };
        learner.logprobs_under(policy, &world.rl(&config).packs(&[one], |_| true)[0])
    };
    let close = |a: &[f32], b: &[f32]| {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    };
    for micro_tokens in [1, usize::MAX] {
        let other = policy(5);
        let members = measure(Some(2.0), Some(other.clone()), micro_tokens);
        for (member, (g, m)) in members.iter().zip([(0, 0), (0, 1), (1, 0)]) {
            let seen = member.experience().unwrap();
            close(seen.old_logp, &alone(learner.policy(), g, m));
            close(seen.ref_logp.unwrap(), &alone(&other, g, m));
            assert_eq!(seen.sampler_logp, Some(&step()[g].members[m].episode.logprobs[..]));
        }
    }
    for member in measure(None, None, 4096) {
        let seen = member.experience().unwrap();
        assert!(seen.ref_logp.is_none() && seen.sampler_logp.is_none());
        assert_eq!(seen.old_logp, member.measured.scored.episode.logprobs);
    }
}

#[test]
fn packs_hold_the_members_that_are_taken_under_their_own_places() {
    let (world, config) = (World::new(2), RlConfig::default());
    let step = [
        group(0, [scored(1.0, &[2]), scored(2.0, &[1, 2])]),
        group(1, [scored(1.0, &[2])]),
        group(2, [scored(1.0, &[3]), scored(2.0, &[2])]),
    ];
    let packs = world.rl(&config).packs(&step, |member| member.reward == 2.0);
    let members: Vec<_> = packs.iter().flat_map(|pack| &pack.members).collect();
    let place = |group, member| Place { group, member };
    assert_eq!(members, [&(place(0, 1), 3), &(place(2, 1), 2)]);
    // One turn's token, two of the second after two that were given, and two of the other member.
    assert_eq!(*packs[0].pass.targets, [10, 13, 14, 10, 11]);
}
