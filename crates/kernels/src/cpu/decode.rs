//! Attention of one new token a sequence over a cache, and the cache's rows.

use rayon::prelude::*;

use super::attention::Shared;
use super::element::Element;
use super::math::{axpy, dot, exp_sum, max, vectorized};
use crate::{CacheSpans, Heads};

/// Attention of row i of `q` over the cached rows of `spans[i]`, in their order. `q` is
/// `[sequences, query heads * dim]`, the caches `[rows, kv heads * dim]`.
pub(crate) fn decode_attention<E: Element>(
    q: &[f32],
    k: &[E],
    v: &[E],
    spans: &[CacheSpans],
    heads: Heads,
) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    let out_ptr = Shared(out.as_mut_ptr());
    (0..spans.len() * heads.kv).into_par_iter().for_each_init(Vec::new, |scores, task| {
        let (row, kv_head) = (task / heads.kv, task % heads.kv);
        for i in 0..heads.group() {
            let at = (row * heads.query + kv_head * heads.group() + i) * heads.dim;
            // SAFETY: this row and head belong to this task alone.
            let out = unsafe { std::slice::from_raw_parts_mut(out_ptr.at(at), heads.dim) };
            one_head(&q[at..at + heads.dim], k, v, &spans[row], heads, kv_head, scores, out);
        }
    });
    out
}

/// One query head of one sequence.
#[allow(clippy::too_many_arguments)]
fn one_head<E: Element>(
    q: &[f32],
    k: &[E],
    v: &[E],
    spans: &CacheSpans,
    heads: Heads,
    kv_head: usize,
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (stride, column) = (heads.kv * heads.dim, kv_head * heads.dim);
    let cell = |row: usize| row * stride + column..row * stride + column + heads.dim;
    scores.clear();
    vectorized(
        #[inline(always)]
        || {
            for row in spans.rows() {
                scores.push(dot(q, &k[cell(row)]) * heads.scale());
            }
            let top = max(scores);
            let inverse = 1.0 / exp_sum(scores, top);
            for (row, &p) in spans.rows().zip(scores.iter()) {
                axpy(p * inverse, &v[cell(row)], out);
            }
        },
    );
}

/// Writes the rows of `new` (`[n, width]`) to the cache's rows `at`.
pub(crate) fn write_rows<E: Element>(cache: &mut [E], new: &[E], at: &[usize], width: usize) {
    for (&row, new) in at.iter().zip(new.chunks_exact(width)) {
        cache[row * width..(row + 1) * width].copy_from_slice(new);
    }
}
