//! Layers that attend to a window alone: their angles, their attention over a packed batch, and their decoding steps.

use burn::tensor::{Bool, FloatDType, Tensor, TensorData, activation};
use toolrl_kernels::{CacheSpans, DecodeStep, Heads, Mirrored, Packing, RopeTable, Segment, attention};

use crate::decoder::Constants;
use crate::rope::Rope;
use crate::{ModelConfig, Sliding};

/// The angles of a batch's tokens.
pub(crate) struct Angles {
    /// In layers that see all tokens.
    pub full: Mirrored<RopeTable>,
    /// In layers that see a window.
    pub sliding: Option<Mirrored<RopeTable>>,
}

/// What such layers need beside the parameters.
#[derive(Debug)]
pub(crate) struct Window {
    layers: Vec<usize>,
    tokens: usize,
    rope: Rope,
}

impl Window {
    pub(crate) fn new(sliding: &Sliding, config: &ModelConfig) -> Self {
        let rope = Rope::with(sliding.rope_theta, sliding.rope_scaling, config);
        Self { layers: sliding.layers.clone(), tokens: sliding.window, rope }
    }

    /// Whether a layer sees a window alone.
    pub(crate) fn has(&self, layer: usize) -> bool {
        self.layers.contains(&layer)
    }

    pub(crate) fn table(&self, positions: &[usize]) -> Mirrored<RopeTable> {
        Mirrored::new(self.rope.table(positions))
    }

    /// A decoding step as these layers see it: with their angles, and of each sequence's rows the last.
    pub(crate) fn step(&self, step: &DecodeStep) -> DecodeStep {
        let positions: Vec<usize> = step.spans.iter().map(|s| s.len() - 1).collect();
        let spans: Vec<CacheSpans> = step.spans.iter().map(|&s| last(s, self.tokens)).collect();
        DecodeStep {
            tokens: step.tokens.clone(),
            table: self.table(&positions),
            at: step.at.clone(),
            spans: spans.into(),
        }
    }
}

/// The last rows of a sequence, at most so many.
fn last(spans: CacheSpans, most: usize) -> CacheSpans {
    let of = |(start, len): (usize, usize), most: usize| match len.min(most) {
        0 => (0, 0),
        kept => (start + len - kept, kept),
    };
    let own = of(spans.own, most);
    CacheSpans { prefix: of(spans.prefix, most - own.1), own }
}

impl Constants {
    /// A layer's attention over a packed batch: [`attention`], but for sequences that are longer than the layer's window.
    pub(crate) fn attention(
        &self,
        layer: usize,
        q: Tensor<2>,
        k: Tensor<2>,
        v: Tensor<2>,
        packing: &Mirrored<Packing>,
    ) -> Tensor<2> {
        let (heads, segments) = (self.heads, packing.segments());
        let window = self.window.as_ref().filter(|window| window.has(layer)).map_or(usize::MAX, |w| w.tokens);
        let fits = |s: &Segment| s.offset() + s.len <= window;
        let full = || attention(q.clone(), k.clone(), v.clone(), packing.clone(), heads);
        if segments.iter().all(fits) {
            return full();
        }
        let full = segments.iter().any(fits).then(full);
        let each = segments.iter().filter(|s| s.len > 0).map(|s| match full.as_ref().filter(|_| fits(s)) {
            // To the bit what they are without the others.
            Some(full) => full.clone().narrow(0, s.start, s.len),
            None => within(window, [&q, &k, &v], *s, heads),
        });
        Tensor::cat(each.collect(), 0)
    }
}

/// Queries that are computed together at the least.
const QUERIES: usize = 64;

/// Attention of a segment's tokens, of which each sees the last `window` tokens of its sequence, itself among them: of
/// plain operations, in f32, a block of queries at a time, so that scores take `len * 2 window` numbers a head and not
/// the square.
fn within(window: usize, qkv: [&Tensor<2>; 3], segment: Segment, heads: Heads) -> Tensor<2> {
    let stored = FloatDType::from(qkv[0].dtype());
    let [q, k, v] = qkv.map(|x| x.clone().cast(FloatDType::F32));
    let size = window.max(QUERIES);
    let blocks = (0..segment.len).step_by(size).map(|first| {
        let rows = size.min(segment.len - first);
        let seen = Seen::new(window, segment, first, rows);
        let q = q.clone().narrow(0, segment.start + first, rows);
        seen.attend(q, seen.keys(&k), seen.keys(&v), heads)
    });
    let attended: Tensor<2> = Tensor::cat(blocks.collect(), 0);
    attended.cast(stored)
}

/// The rows that a block of queries sees.
struct Seen {
    window: usize,
    /// Of the segment's prefix, the last, and of its own: first row and rows.
    runs: [(usize, usize); 2],
    /// The first query's place among them.
    first: usize,
}

impl Seen {
    fn new(window: usize, segment: Segment, first: usize, rows: usize) -> Self {
        // What the first query sees before itself.
        let before = (window - 1).min(segment.offset() + first);
        let own = before.min(first);
        let (prefix, kept) = (segment.prefix.0 + segment.prefix.1, before - own);
        let runs = [(prefix - kept, kept), (segment.start + first - own, own + rows)];
        Self { window, runs, first: before }
    }

    fn keys(&self, of: &Tensor<2>) -> Tensor<2> {
        let runs = self.runs.iter().filter(|(_, rows)| *rows > 0);
        Tensor::cat(runs.map(|&(start, rows)| of.clone().narrow(0, start, rows)).collect(), 0)
    }

    /// Query heads that share a key-value head stand below each other.
    fn attend(&self, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, heads: Heads) -> Tensor<2> {
        let Heads { query, kv, dim } = heads;
        let ([rows, _], [keys, _], group) = (q.dims(), k.dims(), heads.group());
        let by_head = |x: Tensor<2>| x.reshape([keys, kv, dim]).swap_dims(0, 1);
        let q = q.reshape([rows, kv, group, dim]).permute([1, 2, 0, 3]).reshape([kv, group * rows, dim]);
        let hidden: Vec<bool> = (0..group * rows)
            .flat_map(|row| {
                let own = self.first + row % rows;
                (0..keys).map(move |key| key > own || key + self.window <= own)
            })
            .collect();
        let mask = TensorData::new(hidden, [1, group * rows, keys]);
        let mask = Tensor::<3, Bool>::from_data(mask, &q.device()).expand([kv, group * rows, keys]);
        let scores = q.matmul(by_head(k).swap_dims(1, 2)) * heads.scale();
        let weights = activation::softmax(scores.mask_fill(mask, f32::NEG_INFINITY), 2);
        let out = weights.matmul(by_head(v)).reshape([kv, group, rows, dim]);
        out.permute([2, 0, 1, 3]).reshape([rows, query * dim])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rows_of_a_sequence() {
        let spans = CacheSpans { prefix: (10, 4), own: (30, 3) };
        for (most, prefix, own) in
            [(9, (10, 4), (30, 3)), (5, (12, 2), (30, 3)), (3, (0, 0), (30, 3)), (1, (0, 0), (32, 1))]
        {
            assert_eq!(last(spans, most), CacheSpans { prefix, own });
        }
    }
}
