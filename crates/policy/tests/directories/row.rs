//! A row of tokens, and what the references say of its last ones.

use std::convert::Infallible;

use serde_json::Value;
use toolrl_policy::{Activations, Derivatives, Packing, Pass, PassSettings, Policy};

/// The script's row of tokens.
pub(crate) fn row(length: u32) -> Vec<u32> {
    (0..length).map(|i| (7 * i + i * i) % 37 + 3).collect()
}

/// Compares the log-probabilities of a row's last tokens.
#[track_caller]
pub(crate) fn compare(what: &str, policy: &Policy, expected: &Value, length: u32) {
    compare_numbers(what, &logprobs(policy, length), expected, 2e-4);
}

/// Compares the last numbers.
#[track_caller]
pub(crate) fn compare_numbers(what: &str, found: &[f32], expected: &Value, tolerance: f32) {
    let expected: Vec<f32> = serde_json::from_value(expected.clone()).unwrap();
    for (found, expected) in found[found.len() - expected.len()..].iter().zip(&expected) {
        let near = (found - expected).abs() < tolerance;
        assert!(near, "{what}: {found}, and the reference has {expected}");
    }
}

/// A pass over the row, whose targets are every token but the first.
fn pass(length: u32) -> Pass {
    let (ids, n) = (row(length), length as usize - 1);
    Pass {
        tokens: ids[..n].to_vec().into(),
        packing: Packing::single(n).into(),
        rows: (0..n as u32).collect::<Vec<_>>().into(),
        targets: ids[1..].to_vec().into(),
    }
}

/// Of every token of the row but the first.
pub(crate) fn logprobs(policy: &Policy, length: u32) -> Vec<f32> {
    policy.logprobs(&pass(length), 1.0).narrow(0, 0, 1).into_data().try_into_vec_as().unwrap()
}

/// Those of the sum of the log-probabilities.
pub(crate) fn gradients(policy: &Policy, length: u32) -> Vec<Vec<f32>> {
    gradients_with(policy, length, Activations::Keep)
}

/// As [`gradients`], with every layer's activations kept or computed again.
pub(crate) fn gradients_with(policy: &Policy, length: u32, activations: Activations) -> Vec<Vec<f32>> {
    let settings = PassSettings { inverse_temperature: 1.0, activations, seed: 0 };
    let loss = |logp: &[f32], _: &[f32]| {
        Ok::<_, Infallible>(Derivatives { by_logp: vec![1.0; logp.len()], by_entropy: Vec::new() })
    };
    policy.gradients(&pass(length), &settings, loss).unwrap().into_values()
}
