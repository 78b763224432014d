//! A policy held in bf16: near the same policy in f32, saved bit by bit, trained through f32 masters.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::convert::Infallible;
use std::io;
use std::path::Path;

use burn::tensor::Device;
use toolrl_policy::{
    Activations, Derivatives, Generation, Heads, Ids, LoraConfig, ModelConfig, Packing, Pass, PassSettings,
    Policy, Precision,
};

fn saved(dir: &Path) -> &Path {
    let config = ModelConfig::tiny(97, 48, 3, Heads { query: 6, kv: 2, dim: 8 }, 0);
    let policy = Policy::fresh(config, Generation::stopping_at(vec![0]), 3, &Device::flex());
    policy.save(dir, |_| Ok::<_, io::Error>(())).unwrap();
    dir
}

fn load(dir: &Path, precision: Precision) -> Policy {
    Policy::load(dir, precision, &Device::flex()).unwrap()
}

fn pass() -> Pass {
    let mut packing = Packing::new();
    let prompt = packing.push(80, None);
    packing.push(5, Some(prompt));
    packing.push(4, Some(prompt));
    let rows: Vec<u32> = (79..88).collect();
    Pass {
        tokens: Ids::new((0..89).map(|i| i * 31 % 97).collect()),
        packing: packing.into(),
        targets: Ids::new(rows.iter().map(|r| r * 7 % 97).collect()),
        rows: rows.into(),
    }
}

fn logprobs(policy: &Policy) -> Vec<f32> {
    policy.logprobs(&pass(), 1.0).into_data().try_into_vec_as().unwrap()
}

fn gradients(policy: &Policy, activations: Activations) -> Vec<Vec<f32>> {
    let loss = |logp: &[f32], _: &[f32]| {
        let by_logp = (0..logp.len()).map(|i| i as f32 - 4.0).collect();
        Ok::<_, Infallible>(Derivatives { by_logp, by_entropy: vec![0.1; logp.len()] })
    };
    let settings = PassSettings { inverse_temperature: 0.8, activations, seed: 1 };
    policy.gradients(&pass(), &settings, loss).unwrap().into_values()
}

fn norm(x: impl IntoIterator<Item = f32>) -> f32 {
    x.into_iter().map(|x| x * x).sum::<f32>().sqrt()
}

#[test]
fn log_probabilities_and_gradients_are_near_those_in_f32() {
    let dir = tempfile::tempdir().unwrap();
    let dir = saved(dir.path());
    let (wide, narrow) = (load(dir, Precision::F32), load(dir, Precision::Bf16));
    assert_eq!((wide.precision(), narrow.precision()), (Precision::F32, Precision::Bf16));
    let (a, b) = (logprobs(&wide), logprobs(&narrow));
    let gap = a.iter().zip(&b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(gap > 0.0 && gap < 0.1, "log-probabilities differ by {gap}");

    let (a, b) = (gradients(&wide, Activations::Keep), gradients(&narrow, Activations::Keep));
    for ((p, a), b) in wide.parameters().iter().zip(&a).zip(&b) {
        assert_eq!(a.len(), b.len());
        let gap = norm(a.iter().zip(b).map(|(a, b)| a - b)) / norm(a.iter().copied());
        assert!(gap > 0.0 && gap < 0.05, "{}: gradients differ by {gap} of their norm", p.name);
    }
    assert_eq!(b, gradients(&narrow, Activations::Recompute));
}

#[test]
fn saved_in_bf16_and_read_again_it_is_equal_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let narrow = load(saved(&dir.path().join("f32")), Precision::Bf16);
    let path = dir.path().join("bf16");
    narrow.save(&path, |_| Ok::<_, io::Error>(())).unwrap();
    let config = std::fs::read_to_string(path.join("config.json")).unwrap();
    assert!(config.contains("\"bfloat16\""), "{config}");
    let size = |dir: &Path| std::fs::metadata(dir.join("model.safetensors")).unwrap().len();
    let (wide, half) = (size(&dir.path().join("f32")), size(&path));
    assert!(half * 2 < wide + 10_000 && half < wide, "{half} against {wide} bytes");
    assert_eq!(load(&path, Precision::Bf16).parameters(), narrow.parameters());
    // bf16 numbers are f32 numbers.
    assert_eq!(load(&path, Precision::F32).parameters(), narrow.parameters());
}

#[test]
fn changes_too_small_for_bf16_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = load(saved(dir.path()), Precision::Bf16);
    let before = policy.parameters();
    let norms: Vec<usize> = (0..before.len()).filter(|&i| before[i].shape.len() == 1).collect();
    // A norm's weights are 1; bf16's next number is 1 + 2^-7.
    for _ in 0..1000 {
        policy.update(|i, values| {
            if norms.contains(&i) {
                values.iter_mut().for_each(|v| *v += 2f32.powi(-16));
            }
        });
    }
    let after = policy.parameters();
    for i in 0..before.len() {
        if norms.contains(&i) {
            // 1000 * 2^-16 is 1.95 units of 2^-7.
            assert!(after[i].values.iter().all(|v| *v == 1.0 + 2f32.powi(-6)), "{}", after[i].name);
        } else {
            assert_eq!(after[i], before[i]);
        }
    }
}

#[test]
fn adapters_train_in_bf16_and_merge() {
    let dir = tempfile::tempdir().unwrap();
    let base = load(saved(dir.path()), Precision::Bf16);
    let config = LoraConfig { rank: 4, dropout: 0.1, ..LoraConfig::default() };
    let mut policy = base.clone().with_lora(&config, 5).unwrap();
    assert_eq!(logprobs(&policy), logprobs(&base), "fresh adapters change nothing");
    for _ in 0..20 {
        let of_loss = gradients(&policy, Activations::Keep);
        policy.update(|i, values| {
            values.iter_mut().zip(&of_loss[i]).for_each(|(v, g)| *v -= 1e-3 * g);
        });
    }
    let (trained, merged) = (logprobs(&policy), logprobs(&policy.merged()));
    let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    let moved = largest(&trained, &logprobs(&base));
    assert!(moved > 0.2, "moved by {moved}");
    assert!(largest(&trained, &merged) < 0.1, "merged within bf16's rounding");
    assert_eq!(policy.merged().precision(), Precision::Bf16);
}
