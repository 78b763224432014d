//! A row of tokens, and what the references say of its last ones.

use serde_json::Value;
use toolrl_policy::{Packing, Pass, Policy};

/// The script's row of tokens.
fn row(length: u32) -> Vec<u32> {
    (0..length).map(|i| (7 * i + i * i) % 37 + 3).collect()
}

/// Compares the log-probabilities of a row's last tokens.
#[track_caller]
pub(crate) fn compare(what: &str, policy: &Policy, expected: &Value, length: u32) {
    let expected: Vec<f32> = serde_json::from_value(expected.clone()).unwrap();
    let found = logprobs(policy, length);
    for (found, expected) in found[found.len() - expected.len()..].iter().zip(&expected) {
        assert!((found - expected).abs() < 2e-4, "{what}: {found}, and the reference has {expected}");
    }
}

/// Of every token of the row but the first.
pub(crate) fn logprobs(policy: &Policy, length: u32) -> Vec<f32> {
    let (ids, n) = (row(length), length as usize - 1);
    let pass = Pass {
        tokens: ids[..n].to_vec().into(),
        packing: Packing::single(n).into(),
        rows: (0..n as u32).collect::<Vec<_>>().into(),
        targets: ids[1..].to_vec().into(),
    };
    policy.logprobs(&pass, 1.0).narrow(0, 0, 1).into_data().try_into_vec_as().unwrap()
}
