//! What a draw leaves out is what transformers leaves out.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use serde_json::Value;
use toolrl_engine::draw;
use toolrl_kernels::Sampling;

/// Made by `truncation/make.py`.
const CASES: &str = include_str!("truncation/truncation.json");

#[test]
fn draws_follow_the_probabilities_of_transformers() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 12);
    for case in &cases {
        let number = |key: &str| case[key].as_f64().unwrap() as f32;
        let numbers = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().flat_map(Value::as_f64).collect()
        };
        let sampling = Sampling {
            temperature: number("temperature"),
            top_k: number("top_k") as u32,
            top_p: number("top_p"),
            min_p: number("min_p"),
        };
        let (logits, expected) = (numbers("logits"), numbers("probabilities"));
        let logits: Vec<f32> = logits.into_iter().map(|z| z as f32).collect();
        // Frequencies over an even grid are the probabilities.
        let n = 5000;
        let mut found = vec![0.0; logits.len()];
        for i in 0..n {
            let token = draw(&logits, &sampling, (f64::from(i) + 0.5) / f64::from(n)).unwrap().token;
            found[token as usize] += 1.0 / f64::from(n);
        }
        for (id, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() < 5e-4, "{sampling:?}, token {id}: {found} for {expected}");
            assert!(*expected > 0.0 || *found == 0.0, "{sampling:?}, token {id}: it is left out");
        }
    }
}

/// Numbers in [0, 1), by SplitMix64.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether a token is among those that are kept, in f64; what lies on a threshold to the rounding of f32 may be.
fn may_be_drawn(token: usize, logits: &[f32], sampling: &Sampling) -> bool {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let weight = |z: f32| (f64::from(z - top) / f64::from(sampling.temperature)).exp();
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let k = sampling.top_k as usize;
    if (1..logits.len()).contains(&k) {
        let kth = sorted[k - 1];
        sorted.retain(|&z| z >= kth);
    }
    let within: f64 = sorted.iter().map(|&z| weight(z)).sum();
    let before: f64 = sorted.iter().filter(|&&z| z > logits[token]).map(|&z| weight(z)).sum();
    let is_first = logits[token] == top;
    sorted.contains(&logits[token])
        && (is_first || before < (f64::from(sampling.top_p) + 1e-6) * within)
        && weight(logits[token]) >= f64::from(sampling.min_p) * (1.0 - 1e-5)
}

#[test]
fn what_is_drawn_is_kept() {
    let mut state = 24;
    for case in 0..3000 {
        let n = 1 + (random(&mut state) * 400.0) as usize;
        // Coarse in every third case, so that many are equal; without a weight here and there.
        let coarse = if case % 3 == 0 { 1.0 } else { 1024.0 };
        let mut logit = || match random(&mut state) {
            u if u < 0.02 => f32::NEG_INFINITY,
            u => ((u * 16.0 * coarse).round() / coarse) as f32,
        };
        let mut logits: Vec<f32> = (0..n).map(|_| logit()).collect();
        logits[0] = 1.0;
        let on = |u: f64, off: f32, value: f64| if u < 0.4 { off } else { value as f32 };
        let mut next = || random(&mut state);
        let sampling = Sampling {
            temperature: (0.2 + 2.0 * next()) as f32,
            top_k: on(next(), 0.0, 40.0 * next()) as u32,
            top_p: on(next(), 1.0, 0.01 + 0.99 * next()),
            min_p: on(next(), 0.0, next().powi(3)),
        };
        for uniform in [0.0, next(), next(), 1.0 - f64::EPSILON / 2.0] {
            let drawn = draw(&logits, &sampling, uniform).unwrap();
            let token = drawn.token as usize;
            assert!(may_be_drawn(token, &logits, &sampling), "case {case}: {sampling:?}, {uniform}: {token}");
            assert!(drawn.logprob.is_finite());
            let whole = Sampling { temperature: sampling.temperature, ..Sampling::default() };
            let policy: Vec<_> = (0..20).flat_map(|i| draw(&logits, &whole, f64::from(i) / 20.0)).collect();
            let same = policy.iter().find(|of| of.token == drawn.token);
            assert!(same.is_none_or(|of| of.logprob == drawn.logprob), "log-probabilities are the policy's");
        }
    }
}
