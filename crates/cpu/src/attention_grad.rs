//! Backward pass of [`super::attention`]: scores are computed again block by block.

use half::bf16;

use super::attention::{Block, Qkv, Shared};
use super::gemm::{Mat, Threads, Write, gemm};
use super::math::{exp, sum2, vectorized};
use super::numbers::{Floats, operand};
use super::team::parts;
use toolrl_layout::{Heads, Packing};

/// What the backward pass knows of the forward one.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// Attention's output, shaped as `q`.
    pub out: Floats<'a>,
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
    scratch: Scratch,
}

/// What a block writes to.
#[derive(Default)]
struct Scratch {
    /// `[rows * group, dim]`.
    q: Vec<f32>,
    grad: Vec<f32>,
    out: Vec<f32>,
    dq: Vec<f32>,
    /// `[rows * group, keys]`.
    p: Vec<f32>,
    ds: Vec<f32>,
    /// `q`, `grad`, `p` and `ds`, where products take them so.
    rounded: [Vec<bf16>; 4],
}

impl<'a> Task<'a> {
    fn new(x: Qkv<'a>, saved: Saved<'a>, kv_head: usize, [dk, dv]: [&'a mut [f32]; 2]) -> Self {
        Self { x, saved, kv_head, dk, dv, scratch: Scratch::default() }
    }

    /// Adds one block of queries.
    ///
    /// # Safety
    /// No other task may touch the block's rows of these heads' columns of `dq`.
    unsafe fn block(&mut self, block: Block, dq_of_all: Shared) {
        let (x, kv_head, keys, dim) = (self.x, self.kv_head, block.keys(), self.x.heads.dim);
        let rows = block.rows * x.heads.group();
        let Scratch { q, grad, out, dq, p, ds, rounded: [near_q, near_grad, near_p, near_ds] } =
            &mut self.scratch;
        x.stack(x.q, block, kv_head, q);
        x.stack(Floats::F32(self.saved.grad), block, kv_head, grad);
        x.stack(self.saved.out, block, kv_head, out);
        dq.resize(rows * dim, 0.0);
        p.resize(rows * keys, 0.0);
        ds.resize(rows * keys, 0.0);
        let [q, by_out] = [(&*q, near_q), (&*grad, near_grad)]
            .map(|(of, rounded)| Mat::stored(operand(of, x.k, rounded, Threads::One), rows, dim, dim));
        block.against_keys(&x, q, x.k, kv_head, p);
        block.against_keys(&x, by_out, x.v, kv_head, ds);
        let log_sums = &self.saved.log_sum[block.start() * x.heads.query + kv_head * x.heads.group()..];
        scores_grad(x.heads, block, log_sums, [out, grad], [p, ds]);

        let [p, ds] =
            [(&*p, near_p), (&*ds, near_ds)].map(|(of, rounded)| operand(of, x.k, rounded, Threads::One));
        let (prefix_start, prefix) = block.segment.prefix;
        for (from, n, start) in [(prefix, block.own(), block.segment.start), (0, prefix, prefix_start)] {
            if n == 0 {
                continue;
            }
            let [p, ds] = [p, ds].map(|of| Mat::stored(of.from(from), rows, n, keys));
            gemm(&mut self.dv[start * dim..], dim, Write::Add, p.t(), by_out, Threads::One);
            gemm(&mut self.dk[start * dim..], dim, Write::Add, ds.t(), q, Threads::One);
            // The block's own keys, which there always are, come first.
            let write = if from == 0 && prefix > 0 { Write::Add } else { Write::Set };
            gemm(dq, dim, write, ds, x.kv(x.k, start, n, kv_head), Threads::One);
        }
        // SAFETY: as the caller promises.
        unsafe { x.unstack(dq, block, kv_head, dq_of_all) };
    }
}

/// Turns raw scores into probabilities (`p`), and `ds` from gradients by probability into gradients by raw score.
/// `log_sums` begin with that of the block's first query and head.
fn scores_grad(
    heads: Heads,
    block: Block,
    log_sums: &[f32],
    [out, grad]: [&[f32]; 2],
    [p, ds]: [&mut [f32]; 2],
) {
    let (group, keys, scale) = (heads.group(), block.keys(), heads.scale());
    let scores = p.chunks_exact_mut(keys).zip(ds.chunks_exact_mut(keys));
    let rows = out.chunks_exact(heads.dim).zip(grad.chunks_exact(heads.dim));
    for (row, ((p, ds), (out, grad))) in scores.zip(rows).enumerate() {
        let log_sum = log_sums[row / group * heads.query + row % group];
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
