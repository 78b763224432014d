//! Draws from logits.

use cubecl::prelude::Client;
use toolrl_cube::{CubeError, Dtype, sample};
use toolrl_layout::Sampling;

use crate::device::{everywhere, numbers, put};

/// The draw by sorting, in f64, and its distance from the nearest place at which another token would be drawn.
fn reference(logits: &[f32], params: &Sampling, uniform: f64) -> (usize, f64, f64) {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let by_rank = |&a: &usize, &b: &usize| logits[b].total_cmp(&logits[a]).then(a.cmp(&b));
    let best = *order.iter().min_by(|a, b| by_rank(a, b)).unwrap();
    let inverse = f64::from(params.inverse_temperature());
    let weight = |i: usize| ((f64::from(logits[i]) - f64::from(logits[best])) * inverse).exp();
    let total: f64 = (0..logits.len()).map(weight).sum();
    let logprob = |i: usize| weight(i).ln() - total.ln();
    if params.is_greedy() {
        let first = logits.iter().position(|&z| z == logits[best]).unwrap();
        return (first, logprob(first), 1.0);
    }
    // Where nothing is left out, tokens stay in the order of their ids.
    if params.truncates() {
        order.sort_by(by_rank);
    }
    let mut margin: f64 = 1.0;
    if (1..order.len()).contains(&(params.top_k as usize)) {
        let kth = logits[order[params.top_k as usize - 1]];
        order.retain(|&i| logits[i] >= kth);
    }
    let mut kept = order.len();
    if params.top_p < 1.0 {
        let wanted = f64::from(params.top_p) * order.iter().map(|&i| weight(i)).sum::<f64>();
        let (mut n, mut mass) = (0, 0.0);
        while n < kept && (n == 0 || mass < wanted) {
            mass += weight(order[n]);
            margin = margin.min((mass - wanted).abs() / total);
            n += 1;
        }
        kept = n;
    }
    if params.min_p > 0.0 {
        let probable = |&&i: &&usize| logits[i] >= logits[best] + params.min_p_offset();
        kept = kept.min(order.iter().filter(probable).count());
    }
    let target = uniform * order[..kept].iter().map(|&i| weight(i)).sum::<f64>();
    let mut sum = 0.0;
    let mut drawn = None;
    for &i in &order[..kept] {
        sum += weight(i);
        margin = margin.min((sum - target).abs() / total);
        if drawn.is_none() && sum > target {
            drawn = Some(i);
        }
    }
    let drawn = drawn.unwrap_or(order[kept - 1]);
    (drawn, logprob(drawn), margin)
}

const fn params(temperature: f32, top_p: f32) -> Sampling {
    Sampling { temperature, top_k: 0, top_p, min_p: 0.0 }
}

const WAYS: [Sampling; 11] = [
    params(0.0, 1.0),
    params(1.0, 1.0),
    params(0.6, 1.0),
    params(1.0, 0.9),
    params(0.8, 0.5),
    params(1.5, 1e-6),
    Sampling { top_k: 1, ..params(1.0, 1.0) },
    Sampling { top_k: 7, ..params(1.3, 1.0) },
    Sampling { min_p: 0.02, ..params(2.0, 1.0) },
    Sampling { top_k: 30, min_p: 0.001, ..params(1.5, 0.95) },
    Sampling { min_p: 1.0, ..params(1.0, 0.99) },
];

/// Holds the draws of rows against the reference, and returns how many lay too near to a boundary to tell.
fn check(client: &Client, dtype: Dtype, logits: &[f32], uniform: &[f32], params: &Sampling) -> usize {
    let vocabulary = logits.len() / uniform.len();
    let (logits_nv, uniform_n) = (put(client, logits, dtype), put(client, uniform, Dtype::F32));
    let draws = sample(client, &logits_nv, &uniform_n, params).unwrap();
    let (tokens, logprobs) = (draws.token_n.read(client).unwrap(), draws.logprob_n.read(client).unwrap());
    let mut near = 0;
    for (i, logits) in logits.chunks_exact(vocabulary).enumerate() {
        let (token, logprob, margin) = reference(logits, params, f64::from(uniform[i]));
        if margin < 3e-6 {
            near += 1;
            continue;
        }
        assert_eq!(tokens[i] as usize, token, "row {i} of {vocabulary}, {params:?}, u {}", uniform[i]);
        let found = f64::from(logprobs[i]);
        assert!((found - logprob).abs() < 2e-5, "row {i} of {vocabulary}, {params:?}: {found} for {logprob}");
    }
    near
}

#[test]
fn draws_are_those_of_a_sort() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(15);
        // A kernel is compiled for each size and way: few sizes, of less than a vector and of several pieces.
        for (vocabulary, ways) in [(1, &WAYS[..2]), (38, &WAYS), (5003, &WAYS)] {
            let rows = 12;
            let logits: Vec<f32> = numbers(&mut rng, rows * vocabulary, dtype)
                .into_iter()
                .map(|z| crate::device::rounded(z * 6.0, dtype))
                .collect();
            let mut uniform: Vec<f32> = (0..rows).map(|_| rng.f32()).collect();
            (uniform[0], uniform[1]) = (0.0, 1.0 - f32::EPSILON / 2.0);
            for params in ways {
                let near = check(client, dtype, &logits, &uniform, params);
                assert!(
                    near <= rows / 3,
                    "{near} of {rows} draws are near a boundary: {vocabulary} {params:?}"
                );
            }
        }
    });
}

/// Few distinct logits, so that thresholds fall among equals: ids decide.
#[test]
fn ties_go_by_id() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(16);
        let (rows, vocabulary) = (20, 5003);
        let logits: Vec<f32> = (0..rows * vocabulary).map(|_| [0.0, 1.0, 2.0][rng.usize(0..3)]).collect();
        let uniform: Vec<f32> = (0..rows).map(|_| rng.f32()).collect();
        for params in WAYS {
            check(client, dtype, &logits, &uniform, &params);
        }
        let greedy = sample(
            client,
            &put(client, &[0.0, 3.0, 3.0, -1.0, f32::NEG_INFINITY, -1.0], dtype),
            &put(client, &[0.9, 0.9], Dtype::F32),
            &params(0.0, 1.0),
        );
        assert_eq!(greedy.unwrap().token_n.read(client).unwrap(), [1, 0]);
    });
}

#[test]
fn what_is_no_distribution_has_no_token() {
    everywhere(|client, dtype| {
        let mut rows = [[f32::NEG_INFINITY; 38]; 4];
        rows[0][..2].copy_from_slice(&[0.0, f32::NAN]);
        rows[2][..2].copy_from_slice(&[0.0, f32::INFINITY]);
        rows[3][..2].copy_from_slice(&[0.5, 0.25]);
        let logits = put(client, rows.as_flattened(), dtype);
        for params in WAYS {
            let draws = sample(client, &logits, &put(client, &[0.3; 4], Dtype::F32), &params).unwrap();
            let tokens = draws.token_n.read(client).unwrap();
            assert_eq!(tokens[..3], [u32::MAX; 3], "{params:?}");
            assert_eq!(tokens[3], 0);
        }
        for (params, what) in [
            (params(-1.0, 1.0), "temperature"),
            (params(1.0, 0.0), "top_p"),
            (Sampling { min_p: 1.1, ..params(1.0, 1.0) }, "min_p"),
        ] {
            let refused = sample(client, &logits, &put(client, &[0.3; 4], Dtype::F32), &params).unwrap_err();
            assert!(matches!(refused, CubeError::Setting { what: found, .. } if found == what), "{refused}");
        }
    });
}
