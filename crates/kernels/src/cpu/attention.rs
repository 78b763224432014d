//! Causal attention over a packed batch with shared prefixes: scores exist for one block of
//! queries of one head at a time.

use rayon::prelude::*;

use super::gemm::{Mat, Threads, gemm, gemm_raw};
use super::math::{exp_sum, max, vectorized};
use crate::{Heads, Packing, Segment};

/// Queries whose scores exist at a time.
pub(crate) const BLOCK: usize = 64;

/// Queries, keys and values of a packed batch: rows are tokens, columns heads.
#[derive(Clone, Copy)]
pub(crate) struct Qkv<'a> {
    /// `[tokens, query heads * dim]`.
    pub q: &'a [f32],
    /// `[tokens, kv heads * dim]`.
    pub k: &'a [f32],
    /// As `k`.
    pub v: &'a [f32],
    pub heads: Heads,
}

impl<'a> Qkv<'a> {
    /// `rows` rows of one query head of a matrix shaped as `q`.
    pub(crate) fn query<'b>(&self, of: &'b [f32], start: usize, rows: usize, head: usize) -> Mat<'b> {
        let stride = self.heads.query * self.heads.dim;
        Mat::new(&of[start * stride + head * self.heads.dim..], rows, self.heads.dim, stride)
    }

    /// `rows` rows of the key-value head that serves a query head, of a matrix shaped as `k`.
    pub(crate) fn kv(&self, of: &'a [f32], start: usize, rows: usize, head: usize) -> Mat<'a> {
        let stride = self.heads.kv * self.heads.dim;
        if rows == 0 {
            return Mat::new(&[], 0, self.heads.dim, stride);
        }
        let kv_head = head / self.heads.group();
        Mat::new(&of[start * stride + kv_head * self.heads.dim..], rows, self.heads.dim, stride)
    }
}

/// A block of consecutive queries of one segment.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub segment: Segment,
    /// First query, counted within the segment.
    pub first: usize,
    /// Number of queries.
    pub rows: usize,
}

impl Block {
    /// All blocks of a packed batch, in row order.
    pub(crate) fn all(packing: &Packing) -> Vec<Self> {
        let blocks = packing.segments().iter().flat_map(|&segment| {
            (0..segment.len).step_by(BLOCK).map(move |first| Self {
                segment,
                first,
                rows: BLOCK.min(segment.len - first),
            })
        });
        blocks.collect()
    }

    /// First row in the packed batch.
    pub(crate) fn start(&self) -> usize {
        self.segment.start + self.first
    }

    /// Keys of the block's own segment that any of its queries sees.
    pub(crate) fn own(&self) -> usize {
        self.first + self.rows
    }

    /// Keys that any of its queries sees: the width of its scores.
    pub(crate) fn keys(&self) -> usize {
        self.segment.prefix.1 + self.own()
    }

    /// Keys that its query `row` sees.
    pub(crate) fn visible(&self, row: usize) -> usize {
        self.segment.prefix.1 + self.first + row + 1
    }

    /// `scores = left * [prefix; own]^T`, row-major with [`Block::keys`] columns, where `right` is
    /// shaped as the keys.
    pub(crate) fn against_keys(&self, x: &Qkv, left: Mat, right: &[f32], head: usize, scores: &mut [f32]) {
        let (prefix_start, prefix) = self.segment.prefix;
        let before = Qkv { k: right, ..*x }.kv(right, prefix_start, prefix, head);
        let own = Qkv { k: right, ..*x }.kv(right, self.segment.start, self.own(), head);
        gemm(scores, self.keys(), false, left, before.t(), Threads::One);
        gemm(&mut scores[prefix..], self.keys(), false, left, own.t(), Threads::One);
    }
}

/// A pointer that tasks share which write disjoint parts.
#[derive(Clone, Copy)]
pub(crate) struct Shared(pub *mut f32);
// SAFETY: every user writes elements that no other task touches.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The pointer `offset` elements on.
    ///
    /// # Safety
    /// As the pointer method `add`.
    pub(crate) unsafe fn at(&self, offset: usize) -> *mut f32 {
        // SAFETY: the caller keeps the offset in bounds.
        unsafe { self.0.add(offset) }
    }
}

/// Attention's output, shaped as `q`, and the logarithm of each query's sum of exponentials,
/// `[tokens, query heads]`.
pub(crate) fn attention(x: Qkv, packing: &Packing) -> (Vec<f32>, Vec<f32>) {
    let heads = x.heads;
    let mut out = vec![0.0; x.q.len()];
    let mut log_sum = vec![0.0; packing.tokens() * heads.query];
    let (out_ptr, sum_ptr) = (Shared(out.as_mut_ptr()), Shared(log_sum.as_mut_ptr()));
    let blocks = Block::all(packing);
    let tasks = (0..blocks.len() * heads.query).into_par_iter();
    tasks.for_each_init(Vec::new, |scores, task| {
        let (block, head) = (blocks[task / heads.query], task % heads.query);
        scores.resize(block.rows * block.keys(), 0.0);
        let q = x.query(x.q, block.start(), block.rows, head);
        block.against_keys(&x, q, x.k, head, scores);
        for (row, scores) in scores.chunks_exact_mut(block.keys()).enumerate() {
            let sum = softmax(scores, block.visible(row), heads.scale());
            // SAFETY: this row and head belong to this task alone.
            unsafe { *sum_ptr.at((block.start() + row) * heads.query + head) = sum };
        }
        // SAFETY: these rows and this head's columns belong to this task alone.
        unsafe { weighted_values(&x, block, head, scores, out_ptr) };
    });
    (out, log_sum)
}

/// Softmax of the first `visible` scores times `scale`, in place; the others become 0. Returns the
/// logarithm of the sum of exponentials.
fn softmax(scores: &mut [f32], visible: usize, scale: f32) -> f32 {
    vectorized(
        #[inline(always)]
        || {
            let (seen, hidden) = scores.split_at_mut(visible);
            for s in seen.iter_mut() {
                *s *= scale;
            }
            let top = max(seen);
            let sum = exp_sum(seen, top);
            let inverse = 1.0 / sum;
            for s in seen.iter_mut() {
                *s *= inverse;
            }
            hidden.fill(0.0);
            top + sum.ln()
        },
    )
}

/// Writes probabilities times values to the block's rows and the head's columns of `out`.
///
/// # Safety
/// No other task may touch those elements.
unsafe fn weighted_values(x: &Qkv, block: Block, head: usize, weights: &[f32], out: Shared) {
    let (prefix_start, prefix) = block.segment.prefix;
    let stride = x.heads.query * x.heads.dim;
    let weights_of = |from: usize, n: usize| Mat::new(&weights[from..], block.rows, n, block.keys());
    // SAFETY: inside `out`, and this task's alone.
    unsafe {
        let out = out.at(block.start() * stride + head * x.heads.dim);
        let own = x.kv(x.v, block.segment.start, block.own(), head);
        gemm_raw(out, stride, false, weights_of(prefix, block.own()), own, Threads::One);
        if prefix > 0 {
            let before = x.kv(x.v, prefix_start, prefix, head);
            gemm_raw(out, stride, true, weights_of(0, prefix), before, Threads::One);
        }
    }
}
