//! Attention of training, forward and backward.

use half::bf16;
use toolrl_cpu::attention::{Qkv, attention};
use toolrl_cpu::attention_grad::{Saved, attention_grad};
use toolrl_cpu::numbers::Floats;
use toolrl_layout::{Heads, Packing};

use super::{check, narrow_numbers, numbers, sum, times};

/// For each token the tokens that it sees, in the order of their positions.
fn seen(packing: &Packing) -> Vec<Vec<usize>> {
    let of_segment = |s: &toolrl_layout::Segment| {
        let (start, prefix) = (s.start, s.prefix.0..s.prefix.0 + s.prefix.1);
        (start..start + s.len).map(move |token| prefix.clone().chain(start..token + 1).collect())
    };
    packing.segments().iter().flat_map(of_segment).collect()
}

/// Output, logarithms of the sums, and the gradients by queries, keys and values.
struct Plain {
    out: Vec<f64>,
    log_sum: Vec<f64>,
    grads: [Vec<f64>; 3],
}

/// With P the probabilities, O the output and g its gradient: dV = P^T g, dS = P (g V^T - rowsum(g O)),
/// dQ = dS K scale, dK = dS^T Q scale.
fn plain([q, k, v]: [&[f32]; 3], heads: Heads, grad: &[f32], seen: &[Vec<usize>]) -> Plain {
    let Heads { query, kv, dim } = heads;
    let scale = (dim as f64).powf(-0.5);
    let mut plain =
        Plain { out: vec![0.0; q.len()], log_sum: Vec::new(), grads: [q, k, v].map(|x| vec![0.0; x.len()]) };
    for (token, seen) in seen.iter().enumerate() {
        for head in 0..query {
            let at = (token * query + head) * dim;
            let key = |token: usize| (token * kv + head / (query / kv)) * dim;
            let dot = |a: &[f32], b: &[f32]| sum(dim, |i| times(a[i], b[i]));
            let exps: Vec<f64> = seen.iter().map(|&j| (dot(&q[at..], &k[key(j)..]) * scale).exp()).collect();
            let total: f64 = exps.iter().sum();
            plain.log_sum.push(total.ln());
            let by_p = |j: usize| dot(&grad[at..], &v[key(j)..]);
            let mean: f64 = seen.iter().zip(&exps).map(|(&j, e)| e / total * by_p(j)).sum();
            for (&j, e) in seen.iter().zip(&exps) {
                let p = e / total;
                let by_score = p * (by_p(j) - mean) * scale;
                for i in 0..dim {
                    let (at, key) = (at + i, key(j) + i);
                    plain.out[at] += p * f64::from(v[key]);
                    plain.grads[0][at] += by_score * f64::from(k[key]);
                    plain.grads[1][key] += by_score * f64::from(q[at]);
                    plain.grads[2][key] += p * f64::from(grad[at]);
                }
            }
        }
    }
    plain
}

#[test]
fn values_and_gradients() {
    let mut shared = Packing::new();
    for (prompt, replies) in [(65, [9, 1, 70]), (3, [64, 2, 5])] {
        let prompt = shared.push(prompt, None);
        for reply in replies {
            shared.push(reply, Some(prompt));
        }
    }
    for packing in [Packing::single(1), shared] {
        for heads in [Heads { query: 4, kv: 4, dim: 8 }, Heads { query: 6, kv: 2, dim: 20 }] {
            let (tokens, dim) = (packing.tokens(), heads.dim);
            let [(near_k, k), (near_v, v)] = [2, 3].map(|seed| narrow_numbers(tokens * heads.kv * dim, seed));
            let (near_q, q) = narrow_numbers(tokens * heads.query * dim, 1);
            let (near_q, q): (Vec<_>, Vec<_>) =
                near_q.iter().zip(q).map(|(near, q)| (bf16::from_f32(near.to_f32() * 4.0), q * 4.0)).unzip();
            let grad = numbers(q.len(), 4);
            let Plain { out, log_sum, grads } = plain([&q, &k, &v], heads, &grad, &seen(&packing));
            let stored = [
                ("f32", 2e-5, [Floats::F32(&q), Floats::F32(&k), Floats::F32(&v)]),
                // Probabilities and gradients are rounded for their products.
                ("bf16", 2e-2, [Floats::Bf16(&near_q), Floats::Bf16(&near_k), Floats::Bf16(&near_v)]),
            ];
            for (stored, within, [q, k, v]) in stored {
                let x = Qkv { q, k, v, heads };
                check(&format!("attention, {stored}"), &[&out[..], &log_sum].concat(), 1e-5, || {
                    let (out, log_sum) = attention(x, &packing);
                    [out, log_sum].concat()
                });
                check(&format!("attention's gradients, {stored}"), &grads.concat(), within, || {
                    let (out, log_sum) = attention(x, &packing);
                    let saved = Saved { out: Floats::F32(&out), log_sum: &log_sum, grad: &grad };
                    let (dq, dk, dv) = attention_grad(x, saved, &packing);
                    [dq, dk, dv].concat()
                });
            }
        }
    }
}
