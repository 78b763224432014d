//! The fused operations as an extension of burn's backends: one trait for the forward pass, which
//! burn dispatches on, and one for what only a backward pass needs.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::{CacheSpans, Heads, Packing, RopeTable};

/// Token ids or other host-side indices, shared with the backward pass.
pub type Ids = Arc<Vec<u32>>;

/// Forward passes. Shapes are those of the functions of the crate's root.
#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "cube"))]
pub trait FusedOps: Backend {
    /// See [`crate::linear`].
    fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::embedding`].
    fn gather_rows(table: FloatTensor<Self>, ids: Ids) -> FloatTensor<Self>;
    /// See [`crate::rms_norm`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
    /// See [`crate::rope()`].
    fn rope(x: FloatTensor<Self>, table: Arc<RopeTable>, heads: usize) -> FloatTensor<Self>;
    /// See [`crate::swiglu`].
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::add_row`].
    fn add_row(x: FloatTensor<Self>, row: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::attention`].
    fn packed_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        packing: Arc<Packing>,
        heads: Heads,
    ) -> FloatTensor<Self>;
    /// See [`crate::logprob_entropy`].
    fn logprob_entropy(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Ids,
        inverse_temperature: f32,
    ) -> FloatTensor<Self>;
    /// See [`crate::decode_attention`]. Has no gradient.
    fn decode_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: Arc<Vec<CacheSpans>>,
        heads: Heads,
    ) -> FloatTensor<Self>;
    /// See [`crate::sum_by_id`]. Has no gradient.
    fn sum_by_id(rows: FloatTensor<Self>, ids: Ids, count: usize) -> FloatTensor<Self>;
    /// See [`crate::write_rows`]. Has no gradient.
    fn write_rows(cache: FloatTensor<Self>, new: FloatTensor<Self>, at: Arc<Vec<usize>>)
    -> FloatTensor<Self>;
}

/// Backward passes, and forward passes that keep what those need.
pub trait FusedGrads: Backend {
    /// Gradients of [`FusedOps::project`] by `x` and `weight`.
    fn project_grad(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2];
    /// Gradient of [`FusedOps::gather_rows`] for a table of `rows` rows.
    fn gather_rows_grad(grad: FloatTensor<Self>, ids: Ids, rows: usize) -> FloatTensor<Self>;
    /// Gradients of [`FusedOps::rms_norm`] by `x` and `weight`.
    fn rms_norm_grad(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f32,
    ) -> [FloatTensor<Self>; 2];
    /// Gradient of [`FusedOps::rope`].
    fn rope_grad(grad: FloatTensor<Self>, table: Arc<RopeTable>, heads: usize) -> FloatTensor<Self>;
    /// Gradients of [`FusedOps::swiglu`] by `gate` and `up`.
    fn swiglu_grad(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 2];
    /// Gradient of [`FusedOps::add_row`] by the row.
    fn add_row_grad(grad: FloatTensor<Self>) -> FloatTensor<Self>;
    /// As [`FusedOps::packed_attention`], with the logarithm of each query's sum of exponentials.
    fn packed_attention_saving(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        packing: Arc<Packing>,
        heads: Heads,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of [`FusedOps::packed_attention`] by q, k and v.
    fn packed_attention_grad(saved: SavedAttention<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 3];
    /// As [`FusedOps::logprob_entropy`], with the probabilities, `[n, v]`, where few enough to be kept.
    fn logprob_entropy_saving(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Ids,
        inverse_temperature: f32,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>);
    /// Gradients of [`FusedOps::logprob_entropy`] by `x` and `weight`.
    fn logprob_entropy_grad(saved: SavedHead<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2];
}

/// What attention's backward pass needs of its forward pass.
#[derive(Debug)]
pub struct SavedAttention<B: Backend> {
    /// Queries, keys and values.
    pub qkv: [FloatTensor<B>; 3],
    /// The output.
    pub out: FloatTensor<B>,
    /// Logarithm of each query's sum of exponentials, `[tokens, query heads]`.
    pub log_sum: FloatTensor<B>,
    /// The batch's layout.
    pub packing: Arc<Packing>,
    /// The heads' sizes.
    pub heads: Heads,
}

impl<B: Backend> Clone for SavedAttention<B> {
    fn clone(&self) -> Self {
        Self {
            qkv: self.qkv.clone(),
            out: self.out.clone(),
            log_sum: self.log_sum.clone(),
            packing: self.packing.clone(),
            heads: self.heads,
        }
    }
}

/// What the head's backward pass needs of its forward pass.
#[derive(Debug)]
pub struct SavedHead<B: Backend> {
    /// Hidden states and weight.
    pub operands: [FloatTensor<B>; 2],
    /// The output: log-probabilities and entropies, `[2, n]`.
    pub out: FloatTensor<B>,
    /// Probabilities, `[n, v]`: computed again where there are none.
    pub probabilities: Option<FloatTensor<B>>,
    /// One token id a row.
    pub targets: Ids,
    /// Multiplied every logit.
    pub inverse_temperature: f32,
}

impl<B: Backend> Clone for SavedHead<B> {
    fn clone(&self) -> Self {
        Self {
            operands: self.operands.clone(),
            out: self.out.clone(),
            probabilities: self.probabilities.clone(),
            targets: self.targets.clone(),
            inverse_temperature: self.inverse_temperature,
        }
    }
}
