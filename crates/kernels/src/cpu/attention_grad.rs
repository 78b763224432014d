//! Backward pass of [`super::attention`]: scores are computed again block by block.

use rayon::prelude::*;

use super::attention::{Block, Qkv, Shared};
use super::gemm::{Mat, Threads, gemm, gemm_raw};
use super::math::{exp, sum2, vectorized};
use crate::Packing;

/// What the backward pass knows of the forward one.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    /// Attention's output, shaped as `q`.
    pub out: &'a [f32],
    /// Logarithm of each query's sum of exponentials, `[tokens, query heads]`.
    pub log_sum: &'a [f32],
    /// Gradient of the output.
    pub grad: &'a [f32],
}

/// Gradients by q, k and v.
///
/// With P the probabilities, O the output and g its gradient: dV = P^T g,
/// dS = P (g V^T - rowsum(g O)), dQ = dS K scale, dK = dS^T Q scale.
pub(crate) fn attention_grad(x: Qkv, saved: Saved, packing: &Packing) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let heads = x.heads;
    let tokens = packing.tokens();
    let mut dq = vec![0.0; x.q.len()];
    let dq_ptr = Shared(dq.as_mut_ptr());
    let blocks = Block::all(packing);
    // One task a query head: each adds up its own keys' gradients, so that the order of additions
    // does not depend on the number of threads.
    let by_head: Vec<(Vec<f32>, Vec<f32>)> = (0..heads.query)
        .into_par_iter()
        .map(|head| {
            let mut task =
                Task { x, saved, head, dk: vec![0.0; tokens * heads.dim], dv: vec![0.0; tokens * heads.dim] };
            let (mut p, mut ds) = (Vec::new(), Vec::new());
            for &block in &blocks {
                // SAFETY: this head's columns of dq belong to this task alone.
                unsafe { task.block(block, dq_ptr, &mut p, &mut ds) };
            }
            (task.dk, task.dv)
        })
        .collect();
    let (dk, dv) = (merge(&by_head, x, tokens, |h| &h.0), merge(&by_head, x, tokens, |h| &h.1));
    (dq, dk, dv)
}

/// Sums the gradients of the query heads of a group into their key-value head's columns.
fn merge(
    by_head: &[(Vec<f32>, Vec<f32>)],
    x: Qkv,
    tokens: usize,
    part: impl Fn(&(Vec<f32>, Vec<f32>)) -> &[f32] + Sync,
) -> Vec<f32> {
    let (heads, dim) = (x.heads, x.heads.dim);
    let mut out = vec![0.0; tokens * heads.kv * dim];
    out.par_chunks_exact_mut(heads.kv * dim).enumerate().with_min_len(256).for_each(|(row, out)| {
        for (head, grads) in by_head.iter().enumerate() {
            let column = head / heads.group() * dim;
            for (o, g) in out[column..column + dim].iter_mut().zip(&part(grads)[row * dim..]) {
                *o += g;
            }
        }
    });
    out
}

/// The backward pass of one query head.
struct Task<'a> {
    x: Qkv<'a>,
    saved: Saved<'a>,
    head: usize,
    /// `[tokens, dim]`.
    dk: Vec<f32>,
    dv: Vec<f32>,
}

impl Task<'_> {
    /// Adds one block of queries.
    ///
    /// # Safety
    /// No other task may touch this head's columns of `dq`.
    unsafe fn block(&mut self, block: Block, dq: Shared, p: &mut Vec<f32>, ds: &mut Vec<f32>) {
        let (x, head, keys) = (self.x, self.head, block.keys());
        let dim = x.heads.dim;
        p.resize(block.rows * keys, 0.0);
        ds.resize(block.rows * keys, 0.0);
        let q = x.query(x.q, block.start(), block.rows, head);
        let grad = x.query(self.saved.grad, block.start(), block.rows, head);
        block.against_keys(&x, q, x.k, head, p);
        block.against_keys(&x, grad, x.v, head, ds);
        self.scores_grad(block, p, ds);

        let (prefix_start, prefix) = block.segment.prefix;
        let stride = x.heads.query * dim;
        for (from, n, start) in [(prefix, block.own(), block.segment.start), (0, prefix, prefix_start)] {
            if n == 0 {
                continue;
            }
            let p = Mat::new(&p[from..], block.rows, n, keys);
            let ds = Mat::new(&ds[from..], block.rows, n, keys);
            gemm(&mut self.dv[start * dim..], dim, true, p.t(), grad, Threads::One);
            gemm(&mut self.dk[start * dim..], dim, true, ds.t(), q, Threads::One);
            // SAFETY: inside `dq`, and this task's alone.
            unsafe {
                let out = dq.at(block.start() * stride + head * dim);
                gemm_raw(out, stride, true, ds, x.kv(x.k, start, n, head), Threads::One);
            }
        }
    }

    /// Turns raw scores into probabilities (`p`), and `ds` from gradients by probability into
    /// gradients by raw score.
    fn scores_grad(&self, block: Block, p: &mut [f32], ds: &mut [f32]) {
        let (heads, keys) = (self.x.heads, block.keys());
        let scale = heads.scale();
        for row in 0..block.rows {
            let token = block.start() + row;
            let at = (token * heads.query + self.head) * heads.dim;
            let (out, grad) = (&self.saved.out[at..at + heads.dim], &self.saved.grad[at..at + heads.dim]);
            let log_sum = self.saved.log_sum[token * heads.query + self.head];
            let (p, ds) = (&mut p[row * keys..(row + 1) * keys], &mut ds[row * keys..(row + 1) * keys]);
            let visible = block.visible(row);
            vectorized(
                #[inline(always)]
                || {
                    let delta = sum2(out, grad, |a, b| a * b);
                    let ((p, p_hidden), (ds, ds_hidden)) =
                        (p.split_at_mut(visible), ds.split_at_mut(visible));
                    for (p, ds) in p.iter_mut().zip(ds) {
                        *p = exp(*p * scale - log_sum);
                        *ds = *p * (*ds - delta) * scale;
                    }
                    p_hidden.fill(0.0);
                    ds_hidden.fill(0.0);
                },
            );
        }
    }
}
