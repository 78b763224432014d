//! Attention of one new token a sequence over a cache, and the cache's rows.
//!
//! The queries that see the same keys stand side by side in a vector's lanes: those of the heads that share a
//! key-value head, of all members of a group whose prompt is cached once. A cached number is read once for all.

use std::cell::Cell;

use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

use super::attention::Shared;
use super::broadcast::{Lines, add_weighted, add_weighted_few, for_all};
use super::element::Element;
use super::isa::arch;
use super::math::exp;
use super::numbers::Floats;
use super::skinny::{Columns, Lanes};
use super::team::for_each;
use toolrl_layout::{CacheSpans, Heads};

/// Attention of row i of `q` over the cached rows of `spans[i]`, in their order. `q` is
/// `[sequences, query heads * dim]`, keys and values are `[rows, kv heads * dim]`.
///
/// # Panics
/// When keys and values are stored as different types.
pub fn decode_attention(q: &[f32], kv: [Floats; 2], spans: &[CacheSpans], heads: Heads) -> Vec<f32> {
    // What is generic is compiled with the crate that calls it, and by that crate's settings.
    match kv {
        [Floats::F32(k), Floats::F32(v)] => attend(q, Cache { k, v }, spans, heads),
        [Floats::Bf16(k), Floats::Bf16(v)] => attend(q, Cache { k, v }, spans, heads),
        _ => panic!("keys and values are stored as different types"),
    }
}

/// Keys and values.
#[derive(Clone, Copy)]
struct Cache<'a, E> {
    k: &'a [E],
    v: &'a [E],
}

fn attend<E: Element>(q: &[f32], cache: Cache<E>, spans: &[CacheSpans], heads: Heads) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    let out_ptr = Shared(out.as_mut_ptr());
    let batches = batches(spans, heads);
    for_each(batches.len(), |i| {
        let batch = Batch { q, cache, spans, heads, queries: &batches[i] };
        // Taken out, and not borrowed: a thread that waits may begin another task.
        let mut scratch = SCRATCH.take();
        // SAFETY: these queries' outputs belong to this task alone.
        unsafe { batch.attend(&mut scratch, out_ptr) };
        SCRATCH.set(scratch);
    });
    out
}

thread_local! {
    /// What this thread's last batch was computed in: memory that is there already, and in a cache.
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch::new()) };
}

/// Cached rows that are summed one after the other; what is summed so is then added up. Long sums of small numbers lose
/// what training's, which are summed by blocks, keep.
const SUMMED: usize = 1024;

/// Intermediate values of a batch.
struct Scratch {
    /// Queries, row by row.
    rows: Vec<f32>,
    columns: Columns,
    scores: Vec<f32>,
    /// Values of [`SUMMED`] rows.
    part: Vec<f32>,
    prefix: Partial,
    own: Partial,
}

impl Scratch {
    const fn new() -> Self {
        Self {
            rows: Vec::new(),
            columns: Columns::new(),
            scores: Vec::new(),
            part: Vec::new(),
            prefix: Partial::new(),
            own: Partial::new(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// One head's query of one sequence.
#[derive(Clone, Copy)]
struct Query {
    sequence: usize,
    head: usize,
}

/// All queries, those with one prefix and one key-value head together, as many as a vector has lanes.
fn batches(spans: &[CacheSpans], heads: Heads) -> Vec<Vec<Query>> {
    let lanes = arch().dispatch(Lanes);
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&i| spans[i].prefix);
    let mut batches = Vec::new();
    for same in order.chunk_by(|&a, &b| spans[a].prefix == spans[b].prefix) {
        for kv_head in 0..heads.kv {
            let of_kv_head = kv_head * heads.group()..(kv_head + 1) * heads.group();
            let queries = same
                .iter()
                .flat_map(|&sequence| of_kv_head.clone().map(move |head| Query { sequence, head }));
            let queries: Vec<_> = queries.collect();
            batches.extend(queries.chunks(lanes).map(<[Query]>::to_vec));
        }
    }
    batches
}

/// Queries with one prefix and one key-value head.
struct Batch<'a, E> {
    q: &'a [f32],
    cache: Cache<'a, E>,
    spans: &'a [CacheSpans],
    heads: Heads,
    queries: &'a [Query],
}

impl<E: Element> Batch<'_, E> {
    /// # Safety
    /// No other task may touch these queries' outputs.
    unsafe fn attend(&self, scratch: &mut Scratch, out: Shared) {
        let dim = self.heads.dim;
        let Scratch { rows, columns, scores, part, prefix, own } = scratch;
        let of_prefix = self.spans[self.queries[0].sequence].prefix;
        self.over(self.queries, of_prefix, (rows, columns, scores, part), prefix);
        let mut lane = 0;
        for of_sequence in self.queries.chunk_by(|a, b| a.sequence == b.sequence) {
            let span = self.spans[of_sequence[0].sequence].own;
            self.over(of_sequence, span, (rows, columns, scores, part), own);
            for (own_lane, query) in of_sequence.iter().enumerate() {
                // SAFETY: as the caller promises.
                let out = unsafe { std::slice::from_raw_parts_mut(out.at(self.start(query)), dim) };
                join([(&*prefix, lane), (&*own, own_lane)], out);
                lane += 1;
            }
        }
    }

    /// Where a query begins, and its output.
    fn start(&self, query: &Query) -> usize {
        (query.sequence * self.heads.query + query.head) * self.heads.dim
    }

    /// Attention of some queries over a run of cached rows, given as (start, len), to `partial`.
    fn over(
        &self,
        queries: &[Query],
        (start, len): (usize, usize),
        (rows, columns, scores, part): (&mut Vec<f32>, &mut Columns, &mut Vec<f32>, &mut Vec<f32>),
        partial: &mut Partial,
    ) {
        let Heads { kv, dim, .. } = self.heads;
        partial.lanes = 0;
        if len == 0 {
            return;
        }
        rows.clear();
        for query in queries {
            rows.extend(self.q[self.start(query)..][..dim].iter().map(|q| q * self.heads.scale()));
        }
        columns.fill(rows, dim);
        let first = (start * kv + queries[0].head / self.heads.group()) * dim;
        let (k, v) = (&self.cache.k[first..], &self.cache.v[first..]);
        arch().dispatch(Run { k, v, len, stride: kv * dim, dim, queries: columns, scores, part, partial });
    }
}

/// Attention over a run of keys, before it is divided by the sum of the weights. Empty over no keys.
struct Partial {
    /// Numbers of a vector.
    lanes: usize,
    /// By lane, the largest score.
    top: Vec<f32>,
    /// By lane, the sum of e^(score - top).
    sum: Vec<f32>,
    /// The sum of e^(score - top) times value, `[dim, lanes]`.
    values: Vec<f32>,
}

impl Partial {
    const fn new() -> Self {
        Self { lanes: 0, top: Vec::new(), sum: Vec::new(), values: Vec::new() }
    }
}

/// One query's attention over several runs of keys.
fn join(parts: [(&Partial, usize); 2], out: &mut [f32]) {
    let there = || parts.iter().filter(|(part, _)| part.lanes > 0);
    let top = there().fold(f32::NEG_INFINITY, |top, (part, lane)| top.max(part.top[*lane]));
    let weight = |part: &Partial, lane: usize| exp(part.top[lane] - top);
    let sum: f32 = there().map(|(part, lane)| part.sum[*lane] * weight(part, *lane)).sum();
    for (part, lane) in there() {
        let weight = weight(part, *lane) / sum;
        for (out, value) in out.iter_mut().zip(part.values[*lane..].iter().step_by(part.lanes)) {
            *out += value * weight;
        }
    }
}

/// A run of cached rows, and queries that see all of it, one a lane.
struct Run<'a, E> {
    k: &'a [E],
    v: &'a [E],
    len: usize,
    stride: usize,
    dim: usize,
    queries: &'a Columns,
    scores: &'a mut Vec<f32>,
    part: &'a mut Vec<f32>,
    partial: &'a mut Partial,
}

impl<E: Element> WithSimd for Run<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { k, v, len, stride, dim, queries, scores, part, partial } = self;
        let Partial { lanes, top, sum, values } = partial;
        *lanes = S::F32_LANES;
        let lanes = S::F32_LANES;
        scores.clear();
        let columns = S::as_simd_f32s(&queries.data).0.as_chunks::<1>().0;
        for_all(simd, Lines { data: k, line: stride }, len, columns, |_, products| {
            scores.extend_from_slice(cast_slice::<_, f32>(products.as_flattened()));
        });
        refill(top, lanes, f32::NEG_INFINITY);
        refill(sum, lanes, 0.0);
        refill(values, dim * lanes, 0.0);
        weigh(simd, S::as_mut_simd_f32s(scores).0, S::as_mut_simd_f32s(top).0, S::as_mut_simd_f32s(sum).0);
        let sums = S::as_mut_simd_f32s(values).0;
        for (i, weights) in S::as_simd_f32s(scores).0.chunks(SUMMED).enumerate() {
            refill(part, dim * lanes, 0.0);
            let part = S::as_mut_simd_f32s(part).0;
            let lines = Lines { data: &v[i * SUMMED * stride..], line: stride };
            if !add_weighted_few(simd, lines, weights, queries.rows, part) {
                add_weighted(simd, lines, weights, part);
            }
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum = simd.add_f32s(*sum, *part);
            }
        }
    }
}

/// By lane: the largest score, each score's e^(score - top) in its place, and their sum. (Iterators in step are compiled
/// by themselves, and called for every vector.)
#[inline(always)]
fn weigh<S: Simd>(simd: S, scores: &mut [S::f32s], top: &mut [S::f32s], sum: &mut [S::f32s]) {
    let ([top], [sum]) = (top, sum) else { return };
    for score in scores.iter() {
        *top = simd.max_f32s(*top, *score);
    }
    for score in scores.iter_mut() {
        *score = simd.sub_f32s(*score, *top);
    }
    for score in cast_slice_mut::<_, f32>(scores) {
        *score = exp(*score);
    }
    for scores in scores.chunks(SUMMED) {
        let mut part = simd.splat_f32s(0.0);
        for score in scores {
            part = simd.add_f32s(part, *score);
        }
        *sum = simd.add_f32s(*sum, part);
    }
}

/// `len` times the same number, in the memory that is there.
fn refill(numbers: &mut Vec<f32>, len: usize, number: f32) {
    numbers.clear();
    numbers.resize(len, number);
}

/// Writes the rows of `new` (`[n, width]`) to the cache's rows `at`.
pub fn write_rows<E: Element>(cache: &mut [E], new: &[E], at: &[u32], width: usize) {
    for (&row, new) in at.iter().zip(new.chunks_exact(width)) {
        cache[row as usize * width..][..width].copy_from_slice(new);
    }
}
