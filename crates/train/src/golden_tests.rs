//! Three updates against values computed by PyTorch: packing, forward and backward pass, loss,
//! clipping and AdamW together.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use toolrl_grpo::{BatchExtent, KlConfig, KlEstimator, KlWeighting, LossConfig, Sequence, policy_loss};
use toolrl_policy::{Activations, Derivatives, Policy};

use crate::OptimizerConfig;
use crate::learner::{Learner, PackLoss};
use crate::pack::{Pack, PackGroup, pack};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TOOLRL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(path);
    if !path.exists() {
        let required = std::env::var_os("TOOLRL_REQUIRE_SHARED").is_some_and(|v| v == "1");
        assert!(!required, "{} is required and absent", path.display());
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
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

/// The loss of a pack; its log-probabilities are kept by reply.
fn loss(pack: &Pack, logp: &[f32], replies: &[Reply], seen: &mut [Vec<f32>]) -> PackLoss {
    let config = LossConfig {
        kl: Some(KlConfig { coef: 0.04, estimator: KlEstimator::K3, weighting: KlWeighting::None }),
        ..LossConfig::default()
    };
    let tokens = replies.iter().map(|r| r.tokens.len()).sum();
    let mut start = 0;
    let mut sequences = Vec::new();
    for &(number, len) in &pack.replies {
        let (reply, own) = (&replies[number], &logp[start..start + len]);
        start += len;
        seen[number] = own.to_vec();
        sequences.push(Sequence {
            logp: own,
            old_logp: &reply.old_logp,
            ref_logp: Some(&reply.ref_logp),
            entropy: None,
            advantage: reply.advantage,
        });
    }
    let output = policy_loss(&sequences, BatchExtent { sequences: replies.len(), tokens }, &config).unwrap();
    let derivatives = Derivatives { by_logp: output.d_logp, by_entropy: output.d_entropy };
    PackLoss { loss: output.loss, derivatives }
}

fn check(max_tokens: usize, activations: Activations) {
    let (Some(dir), Some(file)) =
        (shared("golden/model/tiny/qwen2_tied"), shared("golden/model/grpo/reference.json"))
    else {
        return;
    };
    let reference: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let replies = replies(&reference);
    let packs = packs(&replies, max_tokens);
    let policy = Policy::load(&dir, &Device::flex()).unwrap();
    let config = OptimizerConfig { lr: 1e-3, ..OptimizerConfig::default() };
    let mut learner = Learner::new(policy, config, activations, 1.0);
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
