//! The forward pass.

use std::borrow::Cow;
use std::ops::Range;

use super::super::attention::{Qkv, attention_of};
use super::super::numbers::{Floats, Numbers};
use super::super::{bias, gemm, norm, rope, skinny, swiglu};
use super::{Activations, Batch, Parameters, Run};
use toolrl_layout::{RopeTable, Rotation};

/// A layer's output, and what its backward pass needs. `x` is the input of those rows that are in no run of `known`, in
/// their order, and `table` has their angles; the output is of the same rows, or of [`Batch::rows`] where those are named.
pub fn forward(
    x: Numbers,
    of: &Parameters<Floats>,
    batch: Batch,
    (known, table): (Vec<Run>, &RopeTable),
) -> (Activations, Numbers) {
    let (heads, tokens, hidden) = (batch.heads, batch.packing.tokens(), of.attention_norm.len());
    let (wide, narrow) = (heads.query * heads.dim, heads.kv * heads.dim);
    let mut known = Known { runs: known, tokens };
    let mut kept = Activations::default();
    let [q, k, v] = projected(x.floats(), of, table, batch);
    kept.q = known.join(q, wide, |a| &mut a.q);
    kept.k = known.join(k, narrow, |a| &mut a.k);
    kept.v = known.join(v, narrow, |a| &mut a.v);
    kept.x = known.join(x, hidden, |a| &mut a.x);
    let qkv = Qkv { q: kept.q.floats(), k: kept.k.floats(), v: kept.v.floats(), heads };
    let (attended, log_sum) = attention_of(qkv, batch.packing, |segment| !known.has(segment.start));
    let attended = Numbers::stored_as(attended, kept.x.floats());
    kept.attended = known.put(attended, wide, |a| &mut a.attended);
    kept.log_sum = known.put(log_sum.into(), heads.query, |a| &mut a.log_sum);

    let rows = batch.rows.map_or(tokens, <[u32]>::len);
    let mut middle = project(known.computed(&kept.attended, wide, batch.rows).floats(), of.o, wide, rows);
    middle.add(known.computed(&kept.x, hidden, batch.rows).floats());
    let normed = norm::rms_norm(middle.floats(), of.mlp_norm, batch.eps);
    let [gate, up] = [of.gate, of.up].map(|weight| project(normed.floats(), weight, hidden, rows));
    let inner = of.down.len() / hidden;
    let mut y = project(swiglu::swiglu(gate.floats(), up.floats()).floats(), of.down, inner, rows);
    y.add(middle.floats());
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
fn projected(x: Floats, of: &Parameters<Floats>, table: &RopeTable, batch: Batch) -> [Numbers; 3] {
    let normed = norm::rms_norm(x, of.attention_norm, batch.eps);
    let (hidden, tokens) = (of.attention_norm.len(), batch.packing.tokens());
    let mut all = [of.q, of.k, of.v].map(|weight| project(normed.floats(), weight, hidden, tokens));
    if let Some(biases) = of.biases {
        for (y, row) in all.iter_mut().zip(biases) {
            *y = Numbers::stored_as(bias::add_row(&y.floats().wide(), row), x);
        }
    }
    let [q, k, v] = all;
    let rotated = |x: Numbers, heads| rope::rope(x.floats(), table, heads, Rotation::Forward);
    [rotated(q, batch.heads.query), rotated(k, batch.heads.kv), v]
}

/// A product of some of a batch's rows, made as that of all `rows` would be: where those are few, a row's sums have
/// another order.
fn project(x: Floats, weight: Floats, width: usize, rows: usize) -> Numbers {
    let project = if rows <= skinny::MAX_ROWS { skinny::project } else { gemm::project };
    Numbers::stored_as(project(x, weight, width), x)
}

/// Runs of a batch's rows that are not computed.
struct Known {
    runs: Vec<Run>,
    tokens: usize,
}

impl Known {
    fn has(&self, row: usize) -> bool {
        self.runs.iter().any(|run| run.rows.contains(&row))
    }

    /// The rows before each run, and those after the last.
    fn between(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.rows.end));
        let ends = self.runs.iter().map(|run| run.rows.start).chain(std::iter::once(self.tokens));
        starts.zip(ends).map(|(start, end)| start..end)
    }

    /// A matrix of all rows, given the others' and where the runs have theirs, which is freed.
    fn join(
        &mut self,
        others: Numbers,
        width: usize,
        of: impl Fn(&mut Activations) -> &mut Numbers,
    ) -> Numbers {
        if self.runs.is_empty() {
            return others;
        }
        let theirs: Vec<_> =
            self.runs.iter_mut().map(|run| std::mem::take(of(&mut run.activations))).collect();
        let (mut all, mut rest) = (Vec::new(), others.floats());
        for (rows, theirs) in self.between().zip(&theirs) {
            let before;
            (before, rest) = rest.split_at(rows.len() * width);
            all.extend([before, theirs.floats()]);
        }
        all.push(rest);
        Numbers::concat(&all)
    }

    /// A matrix of all rows, given one in which the runs' are not there yet.
    fn put(&mut self, all: Numbers, width: usize, of: impl Fn(&mut Activations) -> &mut Numbers) -> Numbers {
        if self.runs.is_empty() {
            return all;
        }
        let others = self.computed(&all, width, None).into_owned();
        self.join(others, width, of)
    }

    /// Those of all rows that are computed after attention: `rows`, or those in no run.
    fn computed<'a>(&self, all: &'a Numbers, width: usize, rows: Option<&[u32]>) -> Cow<'a, Numbers> {
        if let Some(rows) = rows {
            return Cow::Owned(all.floats().rows(rows, width));
        }
        if self.runs.is_empty() {
            return Cow::Borrowed(all);
        }
        let of = |rows: Range<usize>| all.floats().of(rows.start * width..rows.end * width);
        Cow::Owned(Numbers::concat(&self.between().map(of).collect::<Vec<_>>()))
    }
}
