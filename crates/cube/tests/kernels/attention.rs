//! Attention over packed batches with shared prefixes, and its gradients.

use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::Client;
use toolrl_cube::{CubeError, Dtype, PackedLayout, attention, attention_grad};
use toolrl_layout::{Heads, LayoutError, Packing};

use crate::device::{assert_close, everywhere, numbers, put, wide};

/// Length of a segment, and the index of the one that is its prefix.
type SegmentRun = (usize, Option<usize>);

/// A layout of (length, index of the segment that is its prefix).
fn packed(runs: &[SegmentRun]) -> Packing {
    let mut packing = Packing::new();
    for &(len, after) in runs {
        packing.push(len, after);
    }
    packing
}

/// The rows that a row sees.
fn seen(packing: &Packing, row: usize) -> Vec<usize> {
    let s = packing.segments().iter().find(|s| (s.start..s.start + s.len).contains(&row)).unwrap();
    (s.prefix.0..s.prefix.0 + s.prefix.1).chain(s.start..=row).collect()
}

/// Attention of one query over some rows of one head's keys and values, and the logarithm of its sum.
pub fn attend(q: &[f64], keys: &[&[f64]], values: &[&[f64]]) -> (Vec<f64>, f64) {
    let scale = 1.0 / (q.len() as f64).sqrt();
    let dot = |k: &&[f64]| q.iter().zip(*k).map(|(a, b)| a * b).sum::<f64>() * scale;
    let scores: Vec<f64> = keys.iter().map(dot).collect();
    let top = scores.iter().fold(f64::MIN, |a, &b| a.max(b));
    let log_sum = top + scores.iter().map(|s| (s - top).exp()).sum::<f64>().ln();
    let mut out = vec![0.0; q.len()];
    for (s, v) in scores.iter().zip(values) {
        out.iter_mut().zip(*v).for_each(|(o, v)| *o += (s - log_sum).exp() * v);
    }
    (out, log_sum)
}

struct Case {
    heads: Heads,
    packing: Packing,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
}

impl Case {
    fn head<'a>(&self, of: &'a [f64], row: usize, head: usize, heads: usize) -> &'a [f64] {
        &of[(row * heads + head) * self.heads.dim..][..self.heads.dim]
    }

    fn tokens(&self) -> usize {
        self.q.len() / self.heads.query / self.heads.dim
    }

    fn forward(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut out, mut log_sums) = (Vec::new(), Vec::new());
        for row in 0..self.tokens() {
            let rows = seen(&self.packing, row);
            for head in 0..self.heads.query {
                let kv = head / self.heads.group();
                let of = |m: &'_ [f64]| -> Vec<Vec<f64>> {
                    rows.iter().map(|&r| self.head(m, r, kv, self.heads.kv).to_vec()).collect()
                };
                let (k, v) = (of(&self.k), of(&self.v));
                let [k, v] = [&k, &v].map(|m| m.iter().map(Vec::as_slice).collect::<Vec<_>>());
                let (o, log_sum) = attend(self.head(&self.q, row, head, self.heads.query), &k, &v);
                out.extend(o);
                log_sums.push(log_sum);
            }
        }
        (out, log_sums)
    }

    fn backward(&self, grad: &[f64]) -> [Vec<f64>; 3] {
        let (out, log_sums) = self.forward();
        let Heads { query, kv, dim } = self.heads;
        let scale = 1.0 / (dim as f64).sqrt();
        let [mut dq, mut dk, mut dv] = [self.q.len(), self.k.len(), self.v.len()].map(|n| vec![0.0; n]);
        for row in 0..self.tokens() {
            for head in 0..query {
                let at = (row * query + head) * dim;
                let (q, g) = (&self.q[at..at + dim], &grad[at..at + dim]);
                let delta: f64 = g.iter().zip(&out[at..]).map(|(a, b)| a * b).sum();
                for r in seen(&self.packing, row) {
                    let of = (r * kv + head / self.heads.group()) * dim;
                    let (k, v) = (&self.k[of..of + dim], &self.v[of..of + dim]);
                    let score: f64 = q.iter().zip(k).map(|(a, b)| a * b).sum::<f64>() * scale;
                    let p = (score - log_sums[row * query + head]).exp();
                    let dp: f64 = g.iter().zip(v).map(|(a, b)| a * b).sum();
                    let ds = p * (dp - delta) * scale;
                    for i in 0..dim {
                        dq[at + i] += ds * k[i];
                        dk[of + i] += ds * q[i];
                        dv[of + i] += p * g[i];
                    }
                }
            }
        }
        [dq, dk, dv]
    }
}

fn heads(query: usize, kv: usize, dim: usize) -> Heads {
    Heads { query, kv, dim }
}

/// Heads, segments, and the size of queries: where it is large, scores are far apart, and the highest rises from tile to
/// tile.
fn cases() -> Vec<(Heads, Vec<SegmentRun>, f32)> {
    let forest = vec![(40, None), (7, Some(0)), (1, Some(0)), (70, Some(0)), (5, None), (3, Some(4))];
    vec![
        (heads(1, 1, 8), vec![(1, None)], 3.0),
        (heads(2, 1, 5), vec![(3, None), (1, Some(0)), (2, Some(0))], 3.0),
        (heads(9, 3, 32), forest.clone(), 3.0),
        (heads(9, 3, 32), forest, 30.0),
        (heads(4, 2, 64), vec![(33, None), (20, None), (17, Some(1)), (65, Some(0))], 3.0),
        (heads(12, 2, 128), vec![(19, None), (9, Some(0)), (0, Some(0)), (30, Some(0))], 3.0),
        (heads(3, 3, 64), vec![(130, None)], 3.0),
        (heads(7, 1, 80), vec![(21, None), (11, Some(0))], 3.0),
        (heads(2, 2, 96), vec![(18, None), (5, Some(0))], 3.0),
        // Several blocks of queries and of keys, and a highest score that rises from one tile of keys to the next.
        (heads(12, 2, 128), vec![(150, None), (40, Some(0)), (45, Some(0))], 3.0),
        (heads(6, 1, 64), vec![(200, None), (9, None), (300, Some(0))], 30.0),
        // Keys that more queries see than one workgroup goes through.
        (heads(2, 1, 64), vec![(70, None), (600, Some(0)), (500, Some(0))], 3.0),
        (heads(1, 1, 16), vec![(5, None), (600, Some(0)), (40, Some(0)), (700, Some(0))], 3.0),
    ]
}

/// Whether the device's matrix units take numbers of this storage and heads of this width.
fn on_matrix_units(client: &Client, dtype: Dtype, heads: Heads) -> bool {
    let half = ElemType::Float(if dtype == Dtype::F16 { FloatKind::F16 } else { FloatKind::BF16 });
    let types = (half, half, ElemType::Float(FloatKind::F32));
    let configs = &client.features().matmul.cmma;
    let square =
        configs.iter().filter(|c| (c.a_type, c.b_type, c.cd_type) == types && c.m == c.n && c.n == c.k);
    let edge = square.map(|c| c.m).max();
    dtype != Dtype::F32 && edge.is_some_and(|edge| heads.dim.is_multiple_of(edge as usize))
}

/// Roundings in f32 that an output, and a gradient, may be off: see [`assert_close`]. Matrix units multiply
/// probabilities that were rounded to the storage, and the output as it is stored enters the gradient.
fn roundings(dtype: Dtype, on_matrix_units: bool, steepness: f32) -> (usize, usize) {
    // Scores grow with the queries, and so do their roundings, which exp makes those of weights.
    let plain = 64 * (steepness as usize).div_ceil(5);
    // Roundings in f32 of the size of one to the storage.
    let stored = match dtype {
        Dtype::F32 => return (plain, 4 * plain),
        Dtype::F16 => 1 << 13,
        Dtype::Bf16 => 1 << 16,
    };
    (if on_matrix_units { stored } else { plain }, 4 * stored)
}

#[test]
fn follows_the_formula_forth_and_back() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(11);
        for (heads, runs, steepness) in cases() {
            let packing = packed(&runs);
            let tokens = packing.tokens();
            let [q, k, v] = [(heads.query, steepness), (heads.kv, 2.0), (heads.kv, 1.0)].map(|(n, scale)| {
                let values = numbers(&mut rng, tokens * n * heads.dim, dtype);
                values.into_iter().map(|v| crate::device::rounded(v * scale, dtype)).collect::<Vec<f32>>()
            });
            let grad = numbers(&mut rng, q.len(), dtype);
            let case = Case { heads, packing, q: wide(&q), k: wide(&k), v: wide(&v) };
            let layout = PackedLayout::new(client, &case.packing, heads, dtype).unwrap();
            let [q, k, v] = [q, k, v].map(|values| put(client, &values, dtype));
            let found = attention(client, &q, &k, &v, &layout).unwrap();
            let (out, log_sum) = case.forward();
            let what = format!("{heads:?} {runs:?}");
            assert_eq!(layout.on_matrix_units(), on_matrix_units(client, dtype, heads), "{what}");
            let roundings = roundings(dtype, layout.on_matrix_units(), steepness);
            // Scores are sums of up to 128 products, then rounded again by exp and two sums over up to 130 keys.
            assert_close(&what, client, &found.out_ti, &out, roundings.0);
            assert_close(&what, client, &found.log_sum, &log_sum, 64);
            let grad_ti = put(client, &grad, dtype);
            let grads = attention_grad(client, [&q, &k, &v], &found, &grad_ti, &layout).unwrap();
            for ((name, found), expected) in
                ["dq", "dk", "dv"].iter().zip(&grads).zip(case.backward(&wide(&grad)))
            {
                assert_close(&format!("{name} of {what}"), client, found, &expected, roundings.1);
            }
            let again = attention_grad(client, [&q, &k, &v], &found, &grad_ti, &layout).unwrap();
            for (a, b) in grads.iter().zip(&again) {
                assert_eq!(a.read(client).unwrap(), b.read(client).unwrap());
            }
        }
    });
}

#[test]
fn the_reference_is_the_gradient_by_differences() {
    let mut rng = fastrand::Rng::with_seed(12);
    let heads = heads(2, 1, 3);
    let packing = packed(&[(2, None), (2, Some(0))]);
    let mut numbers = |n: usize| wide(&numbers(&mut rng, n, Dtype::F32));
    let case = Case { heads, packing, q: numbers(24), k: numbers(12), v: numbers(12) };
    let grad = numbers(24);
    let loss = |c: &Case| -> f64 { c.forward().0.iter().zip(&grad).map(|(o, g)| o * g).sum() };
    let nudged = |which: usize, i: usize, by: f64| {
        let mut inputs = [case.q.clone(), case.k.clone(), case.v.clone()];
        inputs[which][i] += by;
        let [q, k, v] = inputs;
        loss(&Case { heads, packing: case.packing.clone(), q, k, v })
    };
    for (which, grads) in case.backward(&grad).iter().enumerate() {
        for (i, by) in grads.iter().enumerate() {
            let slope = (nudged(which, i, 1e-6) - nudged(which, i, -1e-6)) / 2e-6;
            assert!((slope - by).abs() < 1e-8, "{which} {i}: {slope} {by}");
        }
    }
}

#[test]
fn heads_that_do_not_fit_are_refused() {
    everywhere(|client, _| {
        let refused = PackedLayout::new(client, &Packing::new(), heads(3, 2, 8), Dtype::F32).unwrap_err();
        assert!(matches!(refused, CubeError::Layout(LayoutError::Heads(_))), "{refused}");
    });
}
