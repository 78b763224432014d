//! Backward pass of [`super::attention`]: scores are computed again block by block.

use super::attention::{Block, Qkv, Shared};
use super::gemm::{Mat, Threads, Write, gemm};
use super::math::{exp, sum2, vectorized};
use super::team::parts;
use toolrl_layout::{Heads, Packing};

/// What the backward pass knows of the forward one.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
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
pub fn attention_grad(x: Qkv, saved: Saved, packing: &Packing) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (heads, tokens) = (x.heads, packing.tokens());
    let mut dq = vec![0.0; x.q.len()];
    let dq_ptr = Shared(dq.as_mut_ptr());
    let blocks = Block::all(packing, heads);
    // Each task adds up its own keys' gradients, and they are added in one order, whatever the number of threads.
    let shares = TASKS.div_ceil(heads.kv);
    let of_task = tokens * heads.dim;
    let [dk, dv] = parts([(heads.kv * shares * of_task, of_task); 2], |i, [dk, dv]| {
        let mut task = Task::new(x, saved, i / shares, [dk, dv]);
        for &block in blocks.iter().skip(i % shares).step_by(shares) {
            // SAFETY: this block's rows of these heads' columns of dq belong to this task alone.
            unsafe { task.block(block, dq_ptr) };
        }
    });
    (dq, merge(&dk, heads, tokens), merge(&dv, heads, tokens))
}

/// Rows that are merged at a time.
const ROWS: usize = 64;
/// Tasks that the work is cut into at least.
const TASKS: usize = 12;

/// Puts the tasks' sums, `[kv heads, shares, tokens, dim]`, into `[tokens, kv heads * dim]`.
fn merge(by_task: &[f32], heads: Heads, tokens: usize) -> Vec<f32> {
    let (width, dim) = (heads.kv * heads.dim, heads.dim);
    let shares = TASKS.div_ceil(heads.kv);
    let [out] = parts([(tokens * width, ROWS * width)], |first, [out]| {
        for (row, out) in (first * ROWS..).zip(out.chunks_exact_mut(width)) {
            for (i, sums) in by_task.chunks_exact((tokens * dim).max(1)).enumerate() {
                let column = i / shares * dim;
                for (o, g) in out[column..column + dim].iter_mut().zip(&sums[row * dim..]) {
                    *o += g;
                }
            }
        }
    });
    out
}

/// The backward pass of some blocks, of the query heads that share a key-value head.
struct Task<'a> {
    x: Qkv<'a>,
    saved: Saved<'a>,
    kv_head: usize,
    /// `[tokens, dim]`.
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    /// Of one block, `[rows * group, dim]`.
    q: Vec<f32>,
    grad: Vec<f32>,
    dq: Vec<f32>,
    /// `[rows * group, keys]`.
    p: Vec<f32>,
    ds: Vec<f32>,
}

impl<'a> Task<'a> {
    fn new(x: Qkv<'a>, saved: Saved<'a>, kv_head: usize, [dk, dv]: [&'a mut [f32]; 2]) -> Self {
        let [q, grad, dq, p, ds] = [const { Vec::new() }; 5];
        Self { x, saved, kv_head, dk, dv, q, grad, dq, p, ds }
    }

    /// Adds one block of queries.
    ///
    /// # Safety
    /// No other task may touch the block's rows of these heads' columns of `dq`.
    unsafe fn block(&mut self, block: Block, dq: Shared) {
        let (x, kv_head, keys, dim) = (self.x, self.kv_head, block.keys(), self.x.heads.dim);
        let rows = block.rows * x.heads.group();
        x.stack(x.q, block, kv_head, &mut self.q);
        x.stack(self.saved.grad, block, kv_head, &mut self.grad);
        self.dq.resize(rows * dim, 0.0);
        self.p.resize(rows * keys, 0.0);
        self.ds.resize(rows * keys, 0.0);
        let (q, grad) = (Mat::new(&self.q, rows, dim, dim), Mat::new(&self.grad, rows, dim, dim));
        block.against_keys(&x, q, x.k, kv_head, &mut self.p);
        block.against_keys(&x, grad, x.v, kv_head, &mut self.ds);
        scores_grad(x.heads, self.saved, kv_head, block, &mut self.p, &mut self.ds);

        let (prefix_start, prefix) = block.segment.prefix;
        for (from, n, start) in [(prefix, block.own(), block.segment.start), (0, prefix, prefix_start)] {
            if n == 0 {
                continue;
            }
            let p = Mat::new(&self.p[from..], rows, n, keys);
            let ds = Mat::new(&self.ds[from..], rows, n, keys);
            gemm(&mut self.dv[start * dim..], dim, Write::Add, p.t(), grad, Threads::One);
            gemm(&mut self.dk[start * dim..], dim, Write::Add, ds.t(), q, Threads::One);
            // The block's own keys, which there always are, come first.
            let write = if from == 0 && prefix > 0 { Write::Add } else { Write::Set };
            gemm(&mut self.dq, dim, write, ds, x.kv(x.k, start, n, kv_head), Threads::One);
        }
        // SAFETY: as the caller promises.
        unsafe { x.unstack(&self.dq, block, kv_head, dq) };
    }
}

/// Turns raw scores into probabilities (`p`), and `ds` from gradients by probability into gradients by raw score.
fn scores_grad(heads: Heads, saved: Saved, kv_head: usize, block: Block, p: &mut [f32], ds: &mut [f32]) {
    let (group, keys, scale) = (heads.group(), block.keys(), heads.scale());
    for (row, (p, ds)) in p.chunks_exact_mut(keys).zip(ds.chunks_exact_mut(keys)).enumerate() {
        let (token, head) = (block.start() + row / group, kv_head * group + row % group);
        let at = (token * heads.query + head) * heads.dim;
        let (out, grad) = (&saved.out[at..at + heads.dim], &saved.grad[at..at + heads.dim]);
        let log_sum = saved.log_sum[token * heads.query + head];
        let visible = block.visible(row / group);
        vectorized(
            #[inline(always)]
            || {
                let delta = sum2(out, grad, |a, b| a * b);
                let ((p, p_hidden), (ds, ds_hidden)) = (p.split_at_mut(visible), ds.split_at_mut(visible));
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
