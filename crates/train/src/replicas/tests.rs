//! Updates of several devices, for which the CPU stands, against those of one.

use std::path::Path;

use toolrl_policy::{
    Activations, Derivatives, Generation, Heads, LoraConfig, ModelConfig, PassSettings, Policy,
};
use toolrl_testing::device;

use super::*;
use crate::GuardConfig;
use crate::guard::Guard;
use crate::learner::{Learner, PackLoss, Update};
use crate::pack::{Member, Pack, PackGroup, Place, pack};

const PROMPT: [u32; 4] = [3, 4, 5, 6];
const REPLIES: [&[u32]; 5] = [&[7, 8, 9], &[10, 0], &[11, 12, 13, 14, 0], &[15, 16], &[17, 18, 19, 0]];

fn policy() -> Policy {
    let config = ModelConfig::tiny(31, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 3, &device())
}

/// One whose adapters alone are trained, and have a share in what it says.
fn adapted() -> Policy {
    let mut policy = policy().with_lora(&LoraConfig { rank: 2, ..LoraConfig::default() }, 2).unwrap();
    policy.update(|_, values| {
        values.iter_mut().enumerate().for_each(|(i, v)| *v += 0.05 * f32::sin(i as f32));
    });
    policy
}

/// Five groups of one reply, each a pack of its own.
fn packs() -> Vec<Pack> {
    let group = |(group, tokens): (usize, &&'static [u32])| PackGroup {
        prompt: &PROMPT,
        members: vec![Member::whole(Place { group, member: 0 }, tokens)],
    };
    let packs = pack(&REPLIES.iter().enumerate().map(group).collect::<Vec<_>>(), 1);
    assert_eq!(packs.len(), REPLIES.len());
    packs
}

/// What a loss says that pushes replies up and down in turn, each by its own measure.
fn loss(pack: &Pack, numbers: &[f32]) -> Vec<f32> {
    let group = pack.members[0].0.group;
    let sign = if group.is_multiple_of(2) { -0.2 } else { 0.1 };
    vec![sign * (1 + group) as f32; numbers.len() / 2]
}

fn settings(number: u64) -> PassSettings {
    PassSettings { inverse_temperature: 0.9, activations: Activations::Keep, seed: number }
}

fn replicas(policy: Policy, devices: usize) -> Replicas<Policy> {
    Replicas::new(policy, OptimizerConfig::default()).and_on(&vec![device(); devices - 1])
}

/// The gradients' numbers on each device.
fn numbers(of: Vec<ParameterGradients>) -> Vec<Vec<Vec<f32>>> {
    of.into_iter().map(ParameterGradients::into_values).collect()
}

#[test]
fn threads_that_ask_for_the_loss_compute_what_one_does() {
    for (policy, devices) in [(policy(), 1), (policy(), 2), (adapted(), 3), (policy(), 7)] {
        let (replicas, packs) = (replicas(policy, devices), packs());
        let mut asked = Vec::new();
        let mut tell = |pack: &Pack, numbers: &[f32]| {
            asked.push((pack.members.clone(), numbers.to_vec()));
            Ok::<_, TrainError>(loss(pack, numbers))
        };
        let in_turn = numbers(replicas.in_turn(&packs, settings, &mut tell).unwrap());
        let at_once = numbers(replicas.at_once(&packs, settings, &mut tell).unwrap());
        assert!(in_turn == at_once, "{devices} devices");
        assert_eq!(in_turn.iter().filter(|sum| sum.is_empty()).count(), devices.saturating_sub(packs.len()));
        // In the order of the packs, whichever thread has computed them.
        assert!(asked[..5] == asked[5..] && asked.iter().map(|(of, _)| of[0].0.group).eq((0..5).chain(0..5)));
    }
}

#[test]
fn a_loss_that_fails_ends_all_devices() {
    let (replicas, packs) = (replicas(policy(), 3), packs());
    for failing in 0..5 {
        let tell = |pack: &Pack, numbers: &[f32]| match pack.members[0].0.group {
            group if group == failing => Err(TrainError::Unchanged { step: group as u64, norm: 1.0 }),
            _ => Ok(loss(pack, numbers)),
        };
        for failed in [replicas.in_turn(&packs, settings, tell), replicas.at_once(&packs, settings, tell)] {
            assert!(matches!(failed, Err(TrainError::Unchanged { step, .. }) if step == failing as u64));
        }
    }
}

/// Three updates; each with its norm and the checksum after it, and the state at the end.
fn updated(learner: &mut Learner) -> (Vec<(Update, Option<u32>)>, State) {
    let mut updates = Vec::new();
    for step in 1..=3 {
        let tell = |pack: &Pack, logp: &[f32], _: &[f32]| {
            let by_logp = loss(pack, &logp.repeat(2));
            let loss = by_logp.iter().zip(logp).map(|(&d, &l)| f64::from(d) * f64::from(l)).sum();
            Ok(PackLoss { loss, derivatives: Derivatives { by_logp, by_entropy: Vec::new() } })
        };
        let update = learner.update(step, &packs(), 1e-2, tell).unwrap();
        updates.push((Update { optimizer_seconds: 0.0, ..update }, learner.weights()));
    }
    (updates, learner.state())
}

fn learner(policy: Policy, devices: usize, max_grad_norm: f64) -> Learner {
    let config = OptimizerConfig { max_grad_norm, ..OptimizerConfig::default() };
    let guard = Guard::new(GuardConfig::default(), Path::new(""));
    Learner::new(policy, config, Activations::Keep, 1.0, guard).and_on(&vec![device(); devices - 1])
}

/// Two devices, three of which the packs are no multiple, and more devices than there are packs; gradients that are
/// clipped, and such that are not; all weights, and adapters alone.
#[test]
fn several_devices_make_the_updates_of_one() {
    for (policy, max_grad_norm) in [(policy(), 1e9), (policy(), 0.01), (adapted(), 0.01)] {
        let (alone, state) = updated(&mut learner(policy.clone(), 1, max_grad_norm));
        for devices in [2, 3, 8] {
            let (of_several, found) = updated(&mut learner(policy.clone(), devices, max_grad_norm));
            for ((one, _), (several, _)) in alone.iter().zip(&of_several) {
                assert_eq!(one.tokens, several.tokens);
                assert!((one.loss - several.loss).abs() < 1e-5, "{one:?} {several:?}");
                assert!(
                    (one.grad_norm - several.grad_norm).abs() < 1e-5 * one.grad_norm,
                    "{one:?} {several:?}"
                );
                assert!(one.grad_norm > 0.02, "the limit is below the norm of the whole update");
            }
            let values = state.values.iter().flatten().zip(found.values.iter().flatten());
            let gap = values.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(gap < 1e-4, "{devices} devices: {gap} after steps of 0.01");
            let (again, state_again) = updated(&mut learner(policy.clone(), devices, max_grad_norm));
            assert!(of_several == again && found == state_again, "{devices} devices");
        }
    }
}

#[test]
fn a_state_goes_on_on_several_devices_to_the_bit() {
    let mut first = learner(adapted(), 3, 1.0);
    updated(&mut first);
    let mut second = learner(adapted(), 3, 1.0);
    second.restore(first.state()).unwrap();
    assert!(updated(&mut first) == updated(&mut second));
}

#[test]
fn devices_that_differ_are_told() {
    let mut replicas = replicas(policy(), 3);
    let step = |replicas: &mut Replicas<Policy>| {
        let gradients =
            replicas.gradients(&packs(), settings, |pack, numbers| Ok::<_, TrainError>(loss(pack, numbers)));
        replicas.step(gradients.unwrap().unwrap(), 1e-2, f64::INFINITY).unwrap()
    };
    let stepped = step(&mut replicas);
    assert_eq!(stepped.checksum(1).unwrap(), replicas.present_checksum());
    // A bit of one weight on the last device.
    replicas.others[1].model.update(|i, values| {
        if i == 3 {
            values[2] = f32::from_bits(values[2].to_bits() ^ 1);
        }
    });
    let message = step(&mut replicas).checksum(7).unwrap_err();
    assert!(matches!(&message, TrainError::DevicesDiffer { step: 7, checksums }
        if checksums.len() == 3 && checksums[0] == checksums[1] && checksums[0] != checksums[2]));
    assert!(!message.is_fault(), "no update is left out for that");
    assert!(message.to_string().contains("the weights of the 3 devices differ"), "{message}");
}

#[test]
fn a_norm_above_the_limit_changes_no_device() {
    let mut replicas = replicas(policy(), 2);
    let gradients = |scale: f32| {
        let scaled = |pack: &Pack, numbers: &[f32]| {
            Ok::<_, TrainError>(loss(pack, numbers).into_iter().map(|d| scale * d).collect())
        };
        self::replicas(policy(), 2).gradients(&packs(), settings, scaled).unwrap().unwrap()
    };
    let before: Vec<_> = replicas.all().map(|replica| replica.model.trained_values()).collect();
    assert!(
        matches!(replicas.step(gradients(1.0), 1e-2, 1e-3), Err(Refused::AboveLimit(norm)) if norm > 1e-3)
    );
    assert!(matches!(replicas.step(gradients(f32::NAN), 1e-2, 1e9), Err(Refused::NotFinite(_))));
    let after: Vec<_> = replicas.all().map(|replica| replica.model.trained_values()).collect();
    assert!(before == after && replicas.optimizer().updates() == 0);
}

/// Each pack goes where the fewest tokens are.
#[test]
fn packs_are_dealt_by_their_tokens() {
    let packs = packs();
    let tokens: Vec<usize> = packs.iter().map(|pack| pack.pass.tokens.len()).collect();
    assert_eq!(tokens, [6, 5, 8, 5, 7]);
    let dealt = |devices| super::gradients::dealt(&packs, devices);
    assert_eq!(dealt(1), [0; 5]);
    // 6 and 5; 6 and 13; 11 and 13; 18 and 13.
    assert_eq!(dealt(2), [0, 1, 1, 0, 0]);
    assert_eq!(dealt(8), [0, 1, 2, 3, 4]);
}
