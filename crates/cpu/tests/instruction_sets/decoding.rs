//! Attention of new tokens over a cache.

use toolrl_cpu::decode::decode_attention;
use toolrl_cpu::numbers::Floats;
use toolrl_layout::{CacheSpans, Heads};

use super::{check, narrow_numbers, numbers, sum, times};

/// Row i of `q` over the rows of `spans[i]`.
fn plain(q: &[f32], k: &[f32], v: &[f32], spans: &[CacheSpans], heads: Heads) -> Vec<f64> {
    let Heads { query, kv, dim } = heads;
    let mut out = vec![0.0; q.len()];
    for (i, out) in out.chunks_exact_mut(dim).enumerate() {
        let key = |row: usize| (row * kv + i % query / (query / kv)) * dim;
        let exp = |row: usize| {
            let score = sum(dim, |d| times(q[i * dim + d], k[key(row) + d]));
            (score / (dim as f64).sqrt()).exp()
        };
        let total: f64 = spans[i / query].rows().map(exp).sum();
        for row in spans[i / query].rows() {
            let p = exp(row) / total;
            out.iter_mut().zip(&v[key(row)..]).for_each(|(out, v)| *out += p * f64::from(*v));
        }
    }
    out
}

/// Groups that share a prompt, sequences alone, caches with nothing of one's own yet; heads whose numbers fill vectors
/// and heads whose numbers do not.
#[test]
fn over_shared_prompts() {
    let mut spans: Vec<_> =
        (0..9).map(|i| CacheSpans { prefix: (0, 70), own: (100 + 10 * i, 1 + i) }).collect();
    spans.push(CacheSpans { prefix: (70, 1), own: (71, 0) });
    spans.push(CacheSpans { prefix: (0, 0), own: (75, 20) });
    for heads in [
        Heads { query: 6, kv: 2, dim: 64 },
        Heads { query: 4, kv: 4, dim: 32 },
        Heads { query: 5, kv: 1, dim: 20 },
        Heads { query: 2, kv: 1, dim: 6 },
    ] {
        let q: Vec<f32> = numbers(spans.len() * heads.query * heads.dim, 1).iter().map(|q| q * 3.0).collect();
        let [(narrow_k, k), (narrow_v, v)] =
            [2, 3].map(|seed| narrow_numbers(200 * heads.kv * heads.dim, seed));
        let expected = plain(&q, &k, &v, &spans, heads);
        check(&format!("{heads:?}"), &expected, 1e-5, || {
            decode_attention(&q, [Floats::F32(&k), Floats::F32(&v)], &spans, heads)
        });
        check(&format!("{heads:?}, bf16"), &expected, 1e-5, || {
            decode_attention(&q, [Floats::Bf16(&narrow_k), Floats::Bf16(&narrow_v)], &spans, heads)
        });
    }
}

/// Sums over thousands of rows, in parts: the error is that of one part.
#[test]
fn over_a_long_prompt() {
    let heads = Heads { query: 6, kv: 1, dim: 32 };
    let rows = 20_000;
    let spans = [CacheSpans { prefix: (0, rows), own: (rows, 3) }; 2];
    let q: Vec<f32> = numbers(spans.len() * heads.query * heads.dim, 1).iter().map(|q| q * 0.1).collect();
    let k = numbers((rows + 3) * heads.dim, 2);
    let v: Vec<f32> = numbers((rows + 3) * heads.dim, 3).iter().map(|v| v + 2.0).collect();
    let expected = plain(&q, &k, &v, &spans, heads);
    check("long", &expected, 2e-6, || {
        decode_attention(&q, [Floats::F32(&k), Floats::F32(&v)], &spans, heads)
    });
}
