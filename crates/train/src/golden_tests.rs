//! Three updates against values computed by PyTorch: packing, forward and backward pass, loss,
//! clipping and AdamW together.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use toolrl_grpo::{
    Aggregation, BatchExtent, KlConfig, KlEstimator, KlWeighting, LossConfig, Sequence, policy_loss,
};
use toolrl_policy::{Activations, Derivatives, ParameterGradients, PassSettings, Policy, Precision};
use toolrl_testing::{Reference, device};

use crate::guard::Guard;
use crate::learner::{Learner, PackLoss};
use crate::pack::{Pack, PackGroup, pack};
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

fn packs(replies: &[Reply], max_tokens: usize) -> Vec<Pack> {
    let groups: Vec<_> = replies
        .chunks(3)
        .enumerate()
        .map(|(g, group)| {
            assert!(group.iter().all(|r| r.prompt == group[0].prompt), "three replies a prompt");
            let replies = group.iter().enumerate().map(|(i, r)| (3 * g + i, r.tokens.as_slice())).collect();
            PackGroup { prompt: &group[0].prompt, replies }
        })
        .collect();
    pack(&groups, max_tokens)
}

/// The reference's divergence term.
const KL: KlConfig = KlConfig { coef: 0.04, estimator: KlEstimator::K3, weighting: KlWeighting::None };

/// The token-mean loss with a divergence term of a pack; its log-probabilities are kept by reply.
fn loss(pack: &Pack, logp: &[f32], replies: &[Reply], seen: &mut [Vec<f32>]) -> PackLoss {
    loss_of(&LossConfig { kl: Some(KL), ..LossConfig::default() }, pack, logp, replies, seen)
}

fn loss_of(
    config: &LossConfig,
    pack: &Pack,
    logp: &[f32],
    replies: &[Reply],
    seen: &mut [Vec<f32>],
) -> PackLoss {
    let tokens = replies.iter().map(|r| r.tokens.len()).sum();
    let mut start = 0;
    let mut sequences = Vec::new();
    for &(number, len) in &pack.replies {
        let (reply, own) = (&replies[number], &logp[start..start + len]);
        start += len;
        seen[number] = own.to_vec();
        sequences.push(Sequence {
            ref_logp: Some(&reply.ref_logp),
            ..Sequence::new(own, &reply.old_logp, reply.advantage.into())
        });
    }
    let output = policy_loss(&sequences, BatchExtent { sequences: replies.len(), tokens }, config).unwrap();
    let derivatives = Derivatives { by_logp: output.d_logp, by_entropy: output.d_entropy };
    PackLoss { loss: output.loss, derivatives }
}

fn learner(dir: &Path, activations: Activations) -> Learner {
    let policy = Policy::load(dir, Precision::F32, &device()).unwrap();
    let config = OptimizerConfig { lr: 1e-3, ..OptimizerConfig::default() };
    Learner::new(policy, config, activations, 1.0, Guard::new(GuardConfig::default(), Path::new("")))
}

fn check(max_tokens: usize, activations: Activations) {
    for (dir, reference) in references() {
        let replies = replies(&reference);
        let packs = packs(&replies, max_tokens);
        let mut learner = learner(&dir, activations);
        let mut seen = vec![Vec::new(); replies.len()];
        let expected = &reference["adamw"];
        for step in 0..3 {
            let update = learner
                .update(1, &packs, 1e-3, |pack, logp, _| Ok(loss(pack, logp, &replies, &mut seen)))
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
        learner.update(1, &packs, 0.0, |pack, logp, _| Ok(loss(pack, logp, &replies, &mut seen))).unwrap();
        let after: Vec<Vec<f64>> = list(&expected["logprobs_after_f64"]);
        for (got, expected) in seen.iter().flatten().zip(after.iter().flatten()) {
            assert!((f64::from(*got) - expected).abs() < 2e-3, "{got} against {expected}");
        }
    }
}

#[test]
fn updates_equal_pytorchs_in_one_pack() {
    check(usize::MAX, Activations::Keep);
}

#[test]
fn splitting_the_batch_changes_nothing() {
    check(24, Activations::Keep);
}

#[test]
fn computing_layers_again_changes_nothing() {
    check(usize::MAX, Activations::Recompute);
}

#[test]
fn a_state_put_back_goes_on_to_the_bit() {
    for (dir, reference) in references() {
        let replies = replies(&reference);
        let packs = packs(&replies, usize::MAX);
        let update = |learner: &mut Learner, step| {
            let mut seen = vec![Vec::new(); replies.len()];
            let loss = |pack: &Pack, logp: &[f32], _: &[f32]| Ok(loss(pack, logp, &replies, &mut seen));
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
                let of_pack = policy.gradients(&pack.pass, &settings, |logp, _| {
                    let PackLoss { loss, derivatives } =
                        loss_of(&config, &pack, logp, &replies, &mut vec![Vec::new(); replies.len()]);
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
