//! The forward pass.

use std::borrow::Cow;

use super::super::attention::{Qkv, attention_of};
use super::super::element::Floats;
use super::super::team::for_each_chunk;
use super::super::{bias, embedding, gemm, norm, rope, skinny, swiglu};
use super::{Activations, Batch, Parameters, Run};
use toolrl_layout::{RopeTable, Rotation};

/// A layer's output, and what its backward pass needs. `x` is the input of those rows that are in no run of `known`, in
/// their order, and `table` has their angles; the output is of the same rows, or of [`Batch::rows`] where those are named.
pub fn forward(
    x: Vec<f32>,
    of: &Parameters<&[f32]>,
    batch: Batch,
    (known, table): (Vec<Run>, &RopeTable),
) -> (Activations, Vec<f32>) {
    let (heads, tokens, hidden) = (batch.heads, batch.packing.tokens(), of.attention_norm.len());
    let (wide, narrow) = (heads.query * heads.dim, heads.kv * heads.dim);
    let mut known = Known { runs: known, tokens };
    let mut kept = Activations::default();
    let [q, k, v] = projected(&x, of, table, batch);
    kept.q = known.join(q, wide, |a| &mut a.q);
    kept.k = known.join(k, narrow, |a| &mut a.k);
    kept.v = known.join(v, narrow, |a| &mut a.v);
    kept.x = known.join(x, hidden, |a| &mut a.x);
    let qkv = Qkv { q: &kept.q, k: &kept.k, v: &kept.v, heads };
    (kept.attended, kept.log_sum) = attention_of(qkv, batch.packing, |segment| !known.has(segment.start));
    known.fill(&mut kept.attended, wide, |a| &mut a.attended);
    known.fill(&mut kept.log_sum, heads.query, |a| &mut a.log_sum);

    let rows = batch.rows.map_or(tokens, <[u32]>::len);
    let mut middle = project(&known.computed(&kept.attended, wide, batch.rows), of.o, wide, rows);
    add(&mut middle, &known.computed(&kept.x, hidden, batch.rows));
    let normed = norm::rms_norm(&middle, of.mlp_norm, batch.eps);
    let (gate, up) = (project(&normed, of.gate, hidden, rows), project(&normed, of.up, hidden, rows));
    let inner = of.down.len() / hidden;
    let mut y = project(&swiglu::swiglu(&gate, &up), of.down, inner, rows);
    add(&mut y, &middle);
    if batch.rows.is_some() {
        (kept.middle, kept.gate, kept.up) = (middle, gate, up);
    } else {
        kept.middle = known.join(middle, hidden, |a| &mut a.middle);
        kept.gate = known.join(gate, inner, |a| &mut a.gate);
        kept.up = known.join(up, inner, |a| &mut a.up);
    }
    (kept, y)
}

/// Queries, keys and values of the inputs, queries and keys rotated.
fn projected(x: &[f32], of: &Parameters<&[f32]>, table: &RopeTable, batch: Batch) -> [Vec<f32>; 3] {
    let normed = norm::rms_norm(x, of.attention_norm, batch.eps);
    let (hidden, tokens) = (of.attention_norm.len(), batch.packing.tokens());
    let mut all = [of.q, of.k, of.v].map(|weight| project(&normed, weight, hidden, tokens));
    if let Some(biases) = of.biases {
        for (y, row) in all.iter_mut().zip(biases) {
            *y = bias::add_row(y, Floats::F32(row));
        }
    }
    let [q, k, v] = all;
    let rotated = |x: Vec<f32>, heads| rope::rope(&x, table, heads, Rotation::Forward);
    [rotated(q, batch.heads.query), rotated(k, batch.heads.kv), v]
}

/// A product of some of a batch's rows, made as that of all `rows` would be: where those are few, a row's sums have
/// another order.
fn project(x: &[f32], weight: &[f32], width: usize, rows: usize) -> Vec<f32> {
    let (x, weight) = (Floats::F32(x), Floats::F32(weight));
    if rows <= skinny::MAX_ROWS { skinny::project(x, weight, width) } else { gemm::project(x, weight, width) }
}

/// `to += more`.
pub(super) fn add(to: &mut [f32], more: &[f32]) {
    for_each_chunk(to, CHUNK, |i, to| {
        to.iter_mut().zip(&more[i * CHUNK..]).for_each(|(to, more)| *to += more);
    });
}

/// Numbers that a task adds.
const CHUNK: usize = 1 << 14;

/// Runs of a batch's rows that are not computed.
struct Known {
    runs: Vec<Run>,
    tokens: usize,
}

impl Known {
    fn has(&self, row: usize) -> bool {
        self.runs.iter().any(|run| run.rows.contains(&row))
    }

    /// A matrix of all rows, given the others' and where the runs have theirs, which is freed.
    fn join(
        &mut self,
        others: Vec<f32>,
        width: usize,
        of: impl Fn(&mut Activations) -> &mut Vec<f32>,
    ) -> Vec<f32> {
        if self.runs.is_empty() {
            return others;
        }
        let mut all = Vec::with_capacity(self.tokens * width);
        let mut others = &others[..];
        for Run { rows, activations } in &mut self.runs {
            let before;
            (before, others) = others.split_at(rows.start * width - all.len());
            all.extend_from_slice(before);
            all.extend_from_slice(&std::mem::take(of(activations)));
        }
        all.extend_from_slice(others);
        all
    }

    /// Writes the runs' rows, which are freed, to a matrix of all.
    fn fill(&mut self, all: &mut [f32], width: usize, of: impl Fn(&mut Activations) -> &mut Vec<f32>) {
        for Run { rows, activations } in &mut self.runs {
            let to = &mut all[rows.start * width..rows.end * width];
            to.copy_from_slice(&std::mem::take(of(activations)));
        }
    }

    /// Those of all rows that are computed after attention: `rows`, or those in no run.
    fn computed<'a>(&self, all: &'a [f32], width: usize, rows: Option<&[u32]>) -> Cow<'a, [f32]> {
        if let Some(rows) = rows {
            return embedding::gather(all, rows, width).into();
        }
        if self.runs.is_empty() {
            return all.into();
        }
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.rows.end));
        let ends = self.runs.iter().map(|run| run.rows.start).chain(std::iter::once(self.tokens));
        let between = starts.zip(ends).map(|(start, end)| &all[start * width..end * width]);
        between.collect::<Vec<_>>().concat().into()
    }
}
