//! Three updates against values computed by PyTorch: packing, forward and backward pass, loss,
//! clipping and AdamW together.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use toolrl_grpo::{Aggregation, KlConfig, KlEstimator, KlWeighting, LossConfig};
use toolrl_policy::{Activations, ParameterGradients, PassSettings, Policy, Precision};
use toolrl_testing::{Reference, device};

use crate::guard::Guard;
use crate::learner::{Learner, PackLoss};
use crate::loss::{Experience, extent, loss};
use crate::pack::{Member, Pack, PackGroup, Place, pack};
use crate::{GuardConfig, OptimizerConfig, TrainError};

/// The directories of policies, and what PyTorch computed with each.
fn references() -> Vec<(PathBuf, Value)> {
    let read = |Reference { policy, values }: Reference| {
        (policy, serde_json::from_slice(&std::fs::read(values.join("reference.json")).unwrap()).unwrap())
    };
    toolrl_testing::references().into_iter().map(read).collect()
}

/// A reply of the reference file.
struct Reply {
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    advantage: f64,
    old_logp: Vec<f32>,
    ref_logp: Vec<f32>,
}

impl Reply {
    fn experience(&self) -> Experience<'_> {
        let Self { advantage, old_logp, ref_logp, .. } = self;
        Experience { old_logp, sampler_logp: None, ref_logp: Some(ref_logp), advantage: (*advantage).into() }
    }
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn replies(reference: &Value) -> Vec<Reply> {
    let of = |s: &Value| Reply {
        prompt: list(&s["prompt_ids"]),
        tokens: list(&s["completion_ids"]),
        advantage: s["advantage"].as_f64().unwrap(),
        old_logp: list(&s["old_logprobs"]),
        ref_logp: list(&s["ref_logprobs"]),
    };
    reference["sequences"].as_array().unwrap().iter().map(of).collect()
}

/// The replies of a prompt.
const MEMBERS: usize = 3;

fn packs(replies: &[Reply], max_tokens: usize) -> Vec<Pack> {
    let groups: Vec<_> = (0..).zip(replies.chunks(MEMBERS)).map(group).collect();
    pack(&groups, max_tokens)
}

/// A prompt and its replies as they are packed.
fn group((group, replies): (usize, &[Reply])) -> PackGroup<'_> {
    let prompt = &replies[0].prompt;
    assert!(replies.iter().all(|r| r.prompt == *prompt), "three replies a prompt");
    let places = (0..).map(|member| Place { group, member });
    let members = places.zip(replies).map(|(place, reply)| Member::whole(place, &reply.tokens));
    PackGroup { prompt, members: members.collect() }
}

/// A place's number among the replies.
fn number(place: Place) -> usize {
    place.group * MEMBERS + place.member
}

/// The reference's divergence term.
const KL: KlConfig = KlConfig {
    coef: 0.04,
    estimator: KlEstimator::K3,
    weighting: KlWeighting::None,
    target: None,
    horizon: None,
};

/// The token-mean loss with a divergence term of a pack; its log-probabilities are kept by reply.
fn token_mean(
    pack: &Pack,
    logp: &[f32],
    entropy: &[f32],
    replies: &[Reply],
    seen: &mut [Vec<f32>],
) -> PackLoss {
    for (place, own) in pack.split(logp) {
        seen[number(place)] = own.to_vec();
    }
    loss_of(&LossConfig { kl: Some(KL), ..LossConfig::default() }, pack, (logp, entropy), replies)
}

fn loss_of(config: &LossConfig, pack: &Pack, numbers: (&[f32], &[f32]), replies: &[Reply]) -> PackLoss {
    let extent = extent(replies.iter().map(Reply::experience));
    loss(pack, numbers, |place| Some(replies[number(place)].experience()), extent, config).unwrap().into()
}

fn learner(dir: &Path, activations: Activations) -> Learner {
    let policy = Policy::load(dir, Precision::F32, &device()).unwrap();
    let config = OptimizerConfig { lr: 1e-3, ..OptimizerConfig::default() };
    Learner::new(policy, config, activations, 1.0, Guard::new(GuardConfig::default(), Path::new("")))
}

/// On so many devices, for which the one of tests stands.
fn check_on(devices: usize, max_tokens: usize, activations: Activations) {
    for (dir, reference) in references() {
        let replies = replies(&reference);
        let packs = packs(&replies, max_tokens);
        let mut learner = learner(&dir, activations).and_on(&vec![device(); devices - 1]);
        let mut seen = vec![Vec::new(); replies.len()];
        let expected = &reference["adamw"];
        for step in 0..3 {
            let update = learner
                .update(1, &packs, 1e-3, |pack, logp, e| Ok(token_mean(pack, logp, e, &replies, &mut seen)))
                .unwrap();
            let value = expected["losses_f64"][step].as_f64().unwrap();
            assert!((update.loss - value).abs() < 2e-6, "step {step}: loss {} against {value}", update.loss);
            let norm = expected["grad_norms_before_clip_f64"][step].as_f64().unwrap();
            assert!(
                (update.grad_norm - norm).abs() < 2e-5 * norm,
                "step {step}: norm {} against {norm}",
                update.grad_norm
            );
        }
        // A step without a learning rate shows the log-probabilities after the third update.
        learner.update(1, &packs, 0.0, |p, logp, e| Ok(token_mean(p, logp, e, &replies, &mut seen))).unwrap();
        let after: Vec<Vec<f64>> = list(&expected["logprobs_after_f64"]);
        for (got, expected) in seen.iter().flatten().zip(after.iter().flatten()) {
            assert!((f64::from(*got) - expected).abs() < 2e-3, "{got} against {expected}");
        }
    }
}

#[test]
fn updates_equal_pytorchs_in_one_pack() {
    check_on(1, usize::MAX, Activations::Keep);
}

#[test]
fn splitting_the_batch_changes_nothing() {
    check_on(1, 24, Activations::Keep);
}

#[test]
fn computing_layers_again_changes_nothing() {
    check_on(1, usize::MAX, Activations::Recompute);
}

#[test]
fn updates_of_several_devices_equal_pytorchs() {
    check_on(2, 24, Activations::Keep);
    check_on(3, 24, Activations::Recompute);
    // One pack: all others have none.
    check_on(3, usize::MAX, Activations::Keep);
}

#[test]
fn a_state_put_back_goes_on_to_the_bit() {
    for (dir, reference) in references() {
        let replies = replies(&reference);
        let packs = packs(&replies, usize::MAX);
        let update = |learner: &mut Learner, step| {
            let mut seen = vec![Vec::new(); replies.len()];
            let loss = |p: &Pack, logp: &[f32], e: &[f32]| Ok(token_mean(p, logp, e, &replies, &mut seen));
            learner.update(step, &packs, 1e-3, loss).unwrap();
            assert!(learner.weights().is_some());
        };
        let mut first = learner(&dir, Activations::Keep);
        update(&mut first, 1);
        update(&mut first, 2);
        let state = first.state();
        assert!(state.updates == 2 && state.moments.len() == state.values.len());
        let mut second = learner(&dir, Activations::Keep);
        second.restore(state.clone()).unwrap();
        assert_eq!(second.state(), state);
        for step in [3, 4] {
            update(&mut first, step);
            update(&mut second, step);
            assert_eq!(first.weights(), second.weights());
            assert_eq!(first.state(), second.state());
        }
    }
}

/// The loss and every parameter's gradient of one variant, in one pack and in several.
fn check_gradients(variant: &str, aggregation: Aggregation, kl: Option<KlConfig>) {
    for (dir, reference) in references() {
        let (replies, expected) = (replies(&reference), &reference["variants"][variant]);
        let policy = Policy::load(&dir, Precision::F32, &device()).unwrap();
        let config = LossConfig { aggregation, kl, ..LossConfig::default() };
        let settings = PassSettings { inverse_temperature: 1.0, activations: Activations::Keep, seed: 0 };
        for max_tokens in [usize::MAX, 24] {
            let (mut total, mut gradients) = (0.0, ParameterGradients::default());
            for pack in packs(&replies, max_tokens) {
                let of_pack = policy.gradients(&pack.pass, &settings, |logp, entropy| {
                    let PackLoss { loss, derivatives } = loss_of(&config, &pack, (logp, entropy), &replies);
                    total += loss;
                    Ok::<_, TrainError>(derivatives)
                });
                gradients.add(of_pack.unwrap());
            }
            let value = expected["loss_f64"].as_f64().unwrap();
            assert!((total - value).abs() < 1e-5 * value.abs(), "{variant}: loss {total} against {value}");
            for (parameter, gradient) in policy.parameters().iter().zip(gradients.into_values()) {
                let expected = &expected["grad_f64"][&parameter.name];
                let norm = expected["norm"].as_f64().unwrap();
                let got = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
                assert!((got - norm).abs() < 1e-4 * norm, "{variant} {}: {got} {norm}", parameter.name);
                let (places, values): (Vec<usize>, Vec<f64>) =
                    (list(&expected["index"]), list(&expected["value"]));
                for (place, value) in places.into_iter().zip(values) {
                    let gap = (f64::from(gradient[place]) - value).abs();
                    assert!(gap < 1e-4 * norm, "{variant} {} at {place}: {gap}", parameter.name);
                }
            }
        }
    }
}

#[test]
fn gradients_equal_pytorchs_parameter_by_parameter() {
    check_gradients("token_mean", Aggregation::TokenMean, None);
    check_gradients("token_mean_kl", Aggregation::TokenMean, Some(KL));
    check_gradients("seq_mean", Aggregation::SequenceMean, None);
    check_gradients("seq_mean_kl", Aggregation::SequenceMean, Some(KL));
}
