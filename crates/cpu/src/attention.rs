//! Causal attention over a packed batch with shared prefixes: scores exist for one block of queries at a time, of
//! the heads that share a key-value head, so that their keys and values are packed once for all of them.
//!
//! Where keys are stored in bf16 and the machine multiplies such numbers, the other operands of products are rounded to
//! them, but for the probabilities that weigh values.

use std::cell::Cell;

use half::bf16;

use super::element::Element;
use super::gemm::{Mat, Threads, Write, gemm};
use super::math::{exp_sum, max, vectorized};
use super::numbers::{Floats, operand};
use super::team::for_each;
use toolrl_layout::{Heads, Packing, Segment};

/// Rows of scores that exist at a time, of all heads together: few enough for the second cache with a thousand keys.
const ROWS: usize = 192;

/// Queries, keys and values of a packed batch: rows are tokens, columns heads.
#[derive(Clone, Copy)]
pub struct Qkv<'a> {
    /// `[tokens, query heads * dim]`.
    pub q: Floats<'a>,
    /// `[tokens, kv heads * dim]`.
    pub k: Floats<'a>,
    /// As `k`.
    pub v: Floats<'a>,
    /// The shape of both.
    pub heads: Heads,
}

impl<'a> Qkv<'a> {
    /// Where the columns of the query heads that share a key-value head stand in a token's row: side by side.
    fn columns(&self, token: usize, kv_head: usize) -> std::ops::Range<usize> {
        let width = self.heads.group() * self.heads.dim;
        let start = token * self.heads.query * self.heads.dim + kv_head * width;
        start..start + width
    }

    /// Copies a block's rows of those heads from a matrix shaped as `q`: `[rows * group, dim]`, token by token.
    pub(crate) fn stack(&self, of: Floats, block: Block, kv_head: usize, out: &mut Vec<f32>) {
        let width = self.heads.group() * self.heads.dim;
        out.resize(block.rows * width, 0.0);
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            of.of(self.columns(block.start() + row, kv_head)).copy_to(out);
        }
    }

    /// The reverse of [`Qkv::stack`], to a matrix shaped as `q`.
    ///
    /// # Safety
    /// No other task may touch these rows' columns of these heads.
    pub(crate) unsafe fn unstack(&self, stacked: &[f32], block: Block, kv_head: usize, out: Shared) {
        let width = self.heads.group() * self.heads.dim;
        for (row, values) in stacked.chunks_exact(width).enumerate() {
            let at = self.columns(block.start() + row, kv_head).start;
            // SAFETY: inside the matrix, and this task's alone.
            unsafe { std::slice::from_raw_parts_mut(out.at(at), width) }.copy_from_slice(values);
        }
    }

    /// `rows` rows of a key-value head of a matrix shaped as `k`.
    pub(crate) fn kv(&self, of: Floats<'a>, start: usize, rows: usize, kv_head: usize) -> Mat<'a> {
        let stride = self.heads.kv * self.heads.dim;
        if rows == 0 {
            return Mat::new(&[], 0, self.heads.dim, stride);
        }
        Mat::stored(of.from(start * stride + kv_head * self.heads.dim), rows, self.heads.dim, stride)
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
    pub fn all(packing: &Packing, heads: Heads) -> Vec<Self> {
        let size = (ROWS / heads.group()).clamp(16, 64);
        let blocks = packing.segments().iter().flat_map(|&segment| {
            (0..segment.len).step_by(size).map(move |first| Self {
                segment,
                first,
                rows: size.min(segment.len - first),
            })
        });
        blocks.collect()
    }

    /// First row in the packed batch.
    pub fn start(&self) -> usize {
        self.segment.start + self.first
    }

    /// Keys of the block's own segment that any of its queries sees.
    pub fn own(&self) -> usize {
        self.first + self.rows
    }

    /// Keys that any of its queries sees: the width of its scores.
    pub fn keys(&self) -> usize {
        self.segment.prefix.1 + self.own()
    }

    /// Keys that its query `row` sees.
    pub fn visible(&self, row: usize) -> usize {
        self.segment.prefix.1 + self.first + row + 1
    }

    /// `scores = left * [prefix; own]^T`, row-major with [`Block::keys`] columns, where `right` is
    /// shaped as the keys.
    pub fn against_keys(&self, x: &Qkv, left: Mat, right: Floats, kv_head: usize, scores: &mut [f32]) {
        let (prefix_start, prefix) = self.segment.prefix;
        let before = Qkv { k: right, ..*x }.kv(right, prefix_start, prefix, kv_head);
        let own = Qkv { k: right, ..*x }.kv(right, self.segment.start, self.own(), kv_head);
        gemm(scores, self.keys(), Write::Set, left, before.t(), Threads::One);
        gemm(&mut scores[prefix..], self.keys(), Write::Set, left, own.t(), Threads::One);
    }
}

/// A pointer that tasks share which write disjoint parts.
#[derive(Clone, Copy)]
pub struct Shared<E = f32>(pub *mut E);
// SAFETY: every user writes elements that no other task touches.
unsafe impl<E: Element> Send for Shared<E> {}
// SAFETY: as above.
unsafe impl<E: Element> Sync for Shared<E> {}

impl<E> Shared<E> {
    /// The pointer `offset` elements on.
    ///
    /// # Safety
    /// As the pointer method `add`.
    pub unsafe fn at(&self, offset: usize) -> *mut E {
        // SAFETY: the caller keeps the offset in bounds.
        unsafe { self.0.add(offset) }
    }
}

/// What a task writes to, again and again.
#[derive(Default)]
struct Scratch {
    q: Vec<f32>,
    near_q: Vec<bf16>,
    scores: Vec<f32>,
    out: Vec<f32>,
}

thread_local! {
    /// That of this thread's last task.
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Attention's output, shaped as `q`, and the logarithm of each query's sum of exponentials,
/// `[tokens, query heads]`.
pub fn attention(x: Qkv, packing: &Packing) -> (Vec<f32>, Vec<f32>) {
    attention_of(x, packing, |_| true)
}

/// As [`attention`], of the segments that `wanted` takes; the others' rows are zeros.
pub fn attention_of(x: Qkv, packing: &Packing, wanted: impl Fn(&Segment) -> bool) -> (Vec<f32>, Vec<f32>) {
    let (heads, group) = (x.heads, x.heads.group());
    let mut out = vec![0.0; x.q.len()];
    let mut log_sum = vec![0.0; packing.tokens() * heads.query];
    let (out_ptr, sum_ptr) = (Shared(out.as_mut_ptr()), Shared(log_sum.as_mut_ptr()));
    let mut blocks = Block::all(packing, heads);
    blocks.retain(|block| wanted(&block.segment));
    for_each(blocks.len() * heads.kv, |task| {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let Scratch { q, near_q, scores, out } = &mut scratch;
        let (block, kv_head) = (blocks[task / heads.kv], task % heads.kv);
        let rows = block.rows * group;
        x.stack(x.q, block, kv_head, q);
        scores.resize(rows * block.keys(), 0.0);
        let q = Mat::stored(operand(q, x.k, near_q, Threads::One), rows, heads.dim, heads.dim);
        block.against_keys(&x, q, x.k, kv_head, scores);
        for (row, scores) in scores.chunks_exact_mut(block.keys()).enumerate() {
            let (token, head) = (row / group, kv_head * group + row % group);
            let sum = softmax(scores, block.visible(token), heads.scale());
            // SAFETY: this token and head belong to this task alone.
            unsafe { *sum_ptr.at((block.start() + token) * heads.query + head) = sum };
        }
        weighted_values(&x, block, kv_head, scores, out);
        // SAFETY: these rows and these heads' columns belong to this task alone.
        unsafe { x.unstack(out, block, kv_head, out_ptr) };
        SCRATCH.set(Some(scratch));
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

/// Probabilities times values, `[rows * group, dim]`.
fn weighted_values(x: &Qkv, block: Block, kv_head: usize, weights: &[f32], out: &mut Vec<f32>) {
    let ((prefix_start, prefix), dim) = (block.segment.prefix, x.heads.dim);
    let rows = block.rows * x.heads.group();
    out.resize(rows * dim, 0.0);
    let weights_of = |from: usize, n: usize| Mat::new(&weights[from..], rows, n, block.keys());
    let own = x.kv(x.v, block.segment.start, block.own(), kv_head);
    gemm(out, dim, Write::Set, weights_of(prefix, block.own()), own, Threads::One);
    if prefix > 0 {
        let before = x.kv(x.v, prefix_start, prefix, kv_head);
        gemm(out, dim, Write::Add, weights_of(0, prefix), before, Threads::One);
    }
}
