//! Fused operations on burn tensors, each with its backward and a plain reference.
//!
//! Invariant: every operation has a reference made of burn's plain operations ([`mod@reference`]) and a
//! test that holds values and gradients against it; no operation touches a file.
//!
//! Shapes are named by axis suffixes: `t` packed tokens, `n` chosen rows, `v` vocabulary, `i` and `o`
//! input and output features, `s` sequences, `c` cached rows.
//!
//! Tensors are f32 or bf16. Arithmetic and sums are in f32; a result is stored as the first operand is, unless
//! its function says otherwise, and the gradient of a weight, table or bias is f32 whatever that is stored in.
//!
//! What the tensors' device does differently is a method of [`FusedOps`], and chosen nowhere else.
//!
//! Shapes that do not fit each other panic, as burn's own operations do; the caller builds them
//! from one configuration.

mod autodiff;
mod backend;
mod containers;
#[cfg(feature = "cube")]
mod cube;
mod decoding;
mod flex;
mod host;
mod mirrored;
mod on_device;
mod optimizer;
pub mod reference;
mod step;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
pub use toolrl_layout::{
    AdamWState, AdamWStep, CacheSpans, DecodeRoom, Draws, Heads, NewRows, Packing, Projected, RopeTable,
    Rotation, Sampling, Segment,
};

pub use backend::{FusedGrads, FusedOps, SavedAttention, SavedHead};
pub use containers::{RowTensors, Tensors};
pub use decoding::{add_rms_norm, decode_attention, gated_linear, place, write_rows};
pub use host::HostTensor;
pub use mirrored::{Ids, Mirrored};
#[cfg(feature = "cuda")]
pub use on_device::cuda_headers;
pub use on_device::{Product, is_cpu, linear_kernels};
pub use optimizer::{adamw, checksums, norm};
pub use step::{DecodeStep, ReplayedSteps, StepGraph, StepNumbers, StepRoom};
pub use toolrl_cpu::categorical::Categorical;
pub use toolrl_cpu::team::{all_together, together};
pub use toolrl_cpu::{Isa, NotHere};

/// `x_ti * weight_oi^T`.
///
/// # Shapes
/// `[t, i]` and `[o, i]` to `[t, o]`.
pub fn linear(x_ti: Tensor<2>, weight_oi: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::project(x_ti.into_dispatch(), weight_oi.into_dispatch()))
}

/// The rows `ids` of an embedding table.
///
/// # Shapes
/// `[v, i]` to `[ids.len(), i]`; every id is below `v`.
pub fn embedding(table_vi: Tensor<2>, ids: Ids) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::gather_rows(table_vi.into_dispatch(), ids))
}

/// `x / sqrt(mean(x^2) + eps) * weight` over the last axis (Zhang and Sennrich, "Root Mean Square
/// Layer Normalization", arXiv 1910.07467).
///
/// # Shapes
/// `[t, k * i]` and `[i]` to `[t, k * i]`: where a row is k times as wide as the weight, each of its
/// k parts (a head, say) is normalised by itself.
pub fn rms_norm(x_ti: Tensor<2>, weight_i: Tensor<1>, eps: f32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm(x_ti.into_dispatch(), weight_i.into_dispatch(), eps))
}

/// Rotary position embedding, rotate-half form (Su et al., "RoFormer", arXiv 2104.09864).
///
/// # Shapes
/// `[t, heads * dim]` to the same; the table has t rows and halves of `dim / 2`.
pub fn rope(x_ti: Tensor<2>, table: Mirrored<RopeTable>, heads: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rope(x_ti.into_dispatch(), table, heads))
}

/// `silu(gate) * up` (Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202).
///
/// # Shapes
/// Both `[t, i]`, as the result.
pub fn swiglu(gate_ti: Tensor<2>, up_ti: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu(gate_ti.into_dispatch(), up_ti.into_dispatch()))
}

/// A row added to every row: a bias.
///
/// # Shapes
/// `[t, i]` and `[i]` to `[t, i]`.
pub fn add_row(x_ti: Tensor<2>, row_i: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::add_row(x_ti.into_dispatch(), row_i.into_dispatch()))
}

/// Causal grouped-query attention over a packed batch, in which a group's prompt stands once.
///
/// # Shapes
/// `q_ti` `[t, query heads * dim]`, `k_ti` and `v_ti` `[t, kv heads * dim]`, the result as `q_ti`.
pub fn attention(
    q_ti: Tensor<2>,
    k_ti: Tensor<2>,
    v_ti: Tensor<2>,
    packing: Mirrored<Packing>,
    heads: Heads,
) -> Tensor<2> {
    let [q, k, v] = [q_ti, k_ti, v_ti].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::packed_attention(q, k, v, packing, heads))
}

/// The head fused with log-probability and entropy, in nats, of the distribution
/// `softmax(x * weight^T * inverse_temperature)`; logits exist for a chunk of rows at a time.
///
/// # Shapes
/// `[n, i]`, `[v, i]` and n targets to `[2, n]`: row 0 is each target's log-probability, row 1 each
/// distribution's entropy. They are f32.
pub fn logprob_entropy(
    x_ni: Tensor<2>,
    weight_vi: Tensor<2>,
    targets: Ids,
    inverse_temperature: f32,
) -> Tensor<2> {
    let (x, weight) = (x_ni.into_dispatch(), weight_vi.into_dispatch());
    Tensor::from_dispatch(Dispatch::logprob_entropy(x, weight, targets, inverse_temperature))
}

/// Row i of the result is the sum of the rows whose id is i, f32: the gradient of [`embedding`] by its table. Has no
/// gradient.
///
/// # Shapes
/// `[t, i]` and t ids below `count` to `[count, i]`.
pub fn sum_by_id(rows_ti: Tensor<2>, ids: Ids, count: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::sum_by_id(rows_ti.into_dispatch(), ids, count))
}
