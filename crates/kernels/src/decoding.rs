//! The operations of decoding, each one kernel on a GPU. None has a gradient.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::FusedOps;
use crate::containers::RowTensors;
use crate::{CacheSpans, DecodeStep, Heads, Ids, Mirrored, NewRows};

/// Attention of one new token a sequence over cached keys and values. Has no gradient.
///
/// # Shapes
/// `q_si` `[s, query heads * dim]`, the caches `[c, kv heads * dim]`, s spans; the result as `q_si`.
pub fn decode_attention(
    q_si: Tensor<2>,
    k_ci: Tensor<2>,
    v_ci: Tensor<2>,
    spans: Mirrored<Vec<CacheSpans>>,
    heads: Heads,
) -> Tensor<2> {
    let [q, k, v] = [q_si, k_ci, v_ci].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::decode_attention(q, k, v, spans, heads))
}

/// The cache with its rows `at` replaced by `new_si`: in place when the caller holds the only
/// handle. Has no gradient.
///
/// # Shapes
/// `[c, i]` and `[at.len(), i]` to `[c, i]`.
pub fn write_rows(cache_ci: Tensor<2>, new_si: Tensor<2>, at: Ids) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::write_rows(cache_ci.into_dispatch(), new_si.into_dispatch(), at))
}

/// Adds the biases, rotates queries and keys by the step's angles, and writes keys and values to the caches' rows that
/// the step names: [`add_row`](crate::add_row), [`rope`](crate::rope()) and [`write_rows`], in place when the caller
/// holds the only handle to a cache. Gives the queries, and the caches.
///
/// # Shapes
/// The caches are `[c, kv heads * dim]`.
pub fn place(
    new: NewRows<Tensor<2>, Tensor<1>>,
    caches: [Tensor<2>; 2],
    step: &DecodeStep,
    heads: Heads,
) -> (Tensor<2>, [Tensor<2>; 2]) {
    let new = RowTensors(new.map(Tensor::into_dispatch, Tensor::into_dispatch));
    let [keys, values] = caches.map(Tensor::into_dispatch);
    let (q, keys, values) = Dispatch::place(new, keys, values, step.table.clone(), step.at.clone(), heads);
    (Tensor::from_dispatch(q), [keys, values].map(Tensor::from_dispatch))
}

/// `x + y`, and that sum's [`rms_norm`](crate::rms_norm): a residual connection and the norm behind it.
///
/// # Shapes
/// `[t, i]` both, and `[i]`; both results are `[t, i]`.
pub fn add_rms_norm(x: Tensor<2>, y: Tensor<2>, weight: Tensor<1>, eps: f32) -> [Tensor<2>; 2] {
    let (sum, normed) =
        Dispatch::add_rms_norm(x.into_dispatch(), y.into_dispatch(), weight.into_dispatch(), eps);
    [sum, normed].map(Tensor::from_dispatch)
}

/// The [`swiglu`](crate::swiglu) of two products, `x_ti * gate_oi^T` and `x_ti * up_oi^T`: what a feed-forward begins
/// with. On a GPU that has it for few rows, one kernel.
///
/// # Shapes
/// `[t, i]` and `[o, i]` twice, to `[t, o]`.
pub fn gated_linear(x_ti: Tensor<2>, gate_oi: Tensor<2>, up_oi: Tensor<2>) -> Tensor<2> {
    let [x, gate, up] = [x_ti, gate_oi, up_oi].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::gated_project(x, gate, up))
}
