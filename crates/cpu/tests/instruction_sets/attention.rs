//! Attention of training, forward and backward.

use toolrl_cpu::attention::{Qkv, attention};
use toolrl_cpu::attention_grad::{Saved, attention_grad};
use toolrl_layout::{Heads, Packing};

use super::{check, numbers, sum, times};

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
fn plain(x: Qkv, grad: &[f32], seen: &[Vec<usize>]) -> Plain {
    let Heads { query, kv, dim } = x.heads;
    let scale = (dim as f64).powf(-0.5);
    let mut plain = Plain {
        out: vec![0.0; x.q.len()],
        log_sum: Vec::new(),
        grads: [x.q, x.k, x.v].map(|x| vec![0.0; x.len()]),
    };
    for (token, seen) in seen.iter().enumerate() {
        for head in 0..query {
            let at = (token * query + head) * dim;
            let key = |token: usize| (token * kv + head / (query / kv)) * dim;
            let dot = |a: &[f32], b: &[f32]| sum(dim, |i| times(a[i], b[i]));
            let exps: Vec<f64> =
                seen.iter().map(|&j| (dot(&x.q[at..], &x.k[key(j)..]) * scale).exp()).collect();
            let total: f64 = exps.iter().sum();
            plain.log_sum.push(total.ln());
            let by_p = |j: usize| dot(&grad[at..], &x.v[key(j)..]);
            let mean: f64 = seen.iter().zip(&exps).map(|(&j, e)| e / total * by_p(j)).sum();
            for (&j, e) in seen.iter().zip(&exps) {
                let p = e / total;
                let by_score = p * (by_p(j) - mean) * scale;
                for i in 0..dim {
                    let (at, key) = (at + i, key(j) + i);
                    plain.out[at] += p * f64::from(x.v[key]);
                    plain.grads[0][at] += by_score * f64::from(x.k[key]);
                    plain.grads[1][key] += by_score * f64::from(x.q[at]);
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
            let q: Vec<f32> = numbers(tokens * heads.query * dim, 1).iter().map(|q| q * 3.0).collect();
            let [k, v] = [2, 3].map(|seed| numbers(tokens * heads.kv * dim, seed));
            let grad = numbers(q.len(), 4);
            let x = Qkv { q: &q, k: &k, v: &v, heads };
            let Plain { out, log_sum, grads } = plain(x, &grad, &seen(&packing));
            check("attention", &[out, log_sum].concat(), 1e-5, || {
                let (out, log_sum) = attention(x, &packing);
                [out, log_sum].concat()
            });
            check("attention's gradients", &grads.concat(), 2e-5, || {
                let (out, log_sum) = attention(x, &packing);
                let (dq, dk, dv) =
                    attention_grad(x, Saved { out: &out, log_sum: &log_sum, grad: &grad }, &packing);
                [dq, dk, dv].concat()
            });
        }
    }
}
