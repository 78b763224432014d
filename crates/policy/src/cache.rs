//! The key-value cache: preallocated rows a layer, written in place.

use std::sync::Arc;

use burn::tensor::Tensor;
use toolrl_kernels::{CacheSpans, DecodeStep, Heads, NewRows, decode_attention, place, write_rows};

use crate::Policy;

/// Keys and values of every layer, in `rows` rows that its user hands out.
#[derive(Debug)]
pub struct KvCache {
    /// One a layer: keys and values, `[rows, kv heads * dim]`. Taken out while they are written, so
    /// that burn sees a single owner and writes in place.
    layers: Vec<Option<(Tensor<2>, Tensor<2>)>>,
    rows: usize,
}

impl KvCache {
    /// A cache of `rows` rows for a policy's keys and values, stored as its weights are.
    pub fn new(policy: &Policy, rows: usize) -> Self {
        let (config, device) = (policy.config(), policy.decoder().head().device());
        let shape = [rows, config.heads.kv * config.heads.dim];
        let zeros = || Tensor::zeros(shape, (&device, policy.precision().dtype()));
        let layers = (0..config.layers).map(|_| Some((zeros(), zeros()))).collect();
        Self { layers, rows }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes one row a token.
    pub(crate) fn write(&mut self, layer: usize, k: Tensor<2>, v: Tensor<2>, at: &Arc<Vec<usize>>) {
        if let Some((keys, values)) = self.layers[layer].take() {
            self.layers[layer] = Some((write_rows(keys, k, at.clone()), write_rows(values, v, at.clone())));
        }
    }

    /// Writes what a layer's projections gave of a step's tokens, and gives their queries.
    pub(crate) fn place(&mut self, layer: usize, new: NewRows, step: &DecodeStep, heads: Heads) -> Tensor<2> {
        let Some((keys, values)) = self.layers[layer].take() else {
            let [q, ..] = new.qkv.apart(heads);
            return q;
        };
        let (q, [keys, values]) = place(new, [keys, values], step, heads);
        self.layers[layer] = Some((keys, values));
        q
    }

    /// Attention of new tokens over their cached rows.
    pub(crate) fn attend(
        &self,
        layer: usize,
        q: Tensor<2>,
        spans: Arc<Vec<CacheSpans>>,
        heads: Heads,
    ) -> Tensor<2> {
        match &self.layers[layer] {
            Some((k, v)) => decode_attention(q, k.clone(), v.clone(), spans, heads),
            None => q,
        }
    }
}
