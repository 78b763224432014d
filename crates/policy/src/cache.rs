//! The key-value cache: preallocated rows a layer, written in place.

use burn::tensor::Tensor;
use toolrl_kernels::{
    CacheSpans, DecodeStep, Heads, Ids, Mirrored, NewRows, decode_attention, place, write_rows,
};

use crate::Policy;

/// Keys and values of every layer, in `rows` rows that its user hands out.
#[derive(Debug)]
pub struct KvCache {
    /// One a layer: keys and values, `[rows, kv heads * dim]`.
    layers: Vec<[Tensor<2>; 2]>,
    /// Stands where a layer's are taken out while they are written, so that burn sees a single owner and writes in place.
    nothing: [Tensor<2>; 2],
    rows: usize,
}

impl KvCache {
    /// A cache of `rows` rows for a policy's keys and values, stored as its weights are.
    pub fn new(policy: &Policy, rows: usize) -> Self {
        let (config, device) = (policy.config(), policy.decoder().head().device());
        let width = config.heads.kv * config.heads.dim;
        let zeros = |rows| Tensor::zeros([rows, width], (&device, policy.precision().dtype()));
        let both = |rows| [zeros(rows), zeros(rows)];
        Self { layers: (0..config.layers).map(|_| both(rows)).collect(), nothing: both(1), rows }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn take(&mut self, layer: usize) -> [Tensor<2>; 2] {
        std::mem::replace(&mut self.layers[layer], self.nothing.clone())
    }

    /// Writes one row a token.
    pub(crate) fn write(&mut self, layer: usize, k: Tensor<2>, v: Tensor<2>, at: &Ids) {
        let [keys, values] = self.take(layer);
        self.layers[layer] = [write_rows(keys, k, at.clone()), write_rows(values, v, at.clone())];
    }

    /// Writes what a layer's projections gave of a step's tokens, and gives their queries.
    pub(crate) fn place(
        &mut self,
        layer: usize,
        new: NewRows<Tensor<2>, Tensor<1>>,
        step: &DecodeStep,
        heads: Heads,
    ) -> Tensor<2> {
        let caches = self.take(layer);
        let (q, caches) = place(new, caches, step, heads);
        self.layers[layer] = caches;
        q
    }

    /// Attention of new tokens over their cached rows.
    pub(crate) fn attend(
        &self,
        layer: usize,
        q: Tensor<2>,
        spans: Mirrored<Vec<CacheSpans>>,
        heads: Heads,
    ) -> Tensor<2> {
        let [k, v] = self.layers[layer].clone();
        decode_attention(q, k, v, spans, heads)
    }
}
