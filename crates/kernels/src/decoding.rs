//! What a decoding step does beside products and attention, each in one kernel on a GPU. None has a gradient.

use burn::tensor::Tensor;

use crate::{DecodeStep, Heads, add_row, linear, rms_norm, rope, swiglu, write_rows};

/// Queries, keys and values as a layer's projections gave them.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, for the length of a call")]
#[derive(Clone, Debug)]
pub enum Projected {
    /// Queries `[s, query heads * dim]`, keys and values `[s, kv heads * dim]`.
    Apart([Tensor<2>; 3]),
    /// Side by side, `[s, (query heads + 2 * kv heads) * dim]`.
    Joined(Tensor<2>),
}

impl Projected {
    /// Each by itself.
    pub fn apart(self, heads: Heads) -> [Tensor<2>; 3] {
        match self {
            Self::Apart(qkv) => qkv,
            Self::Joined(all) => {
                let (q, kv) = (heads.query * heads.dim, heads.kv * heads.dim);
                [(0, q), (q, kv), (q + kv, kv)].map(|(start, width)| all.clone().narrow(1, start, width))
            }
        }
    }
}

/// The rows of a step's s tokens.
#[derive(Clone, Debug)]
pub struct NewRows {
    /// Queries, keys and values.
    pub qkv: Projected,
    /// Their biases, where they are still to be added.
    pub biases: Option<[Tensor<1>; 3]>,
}

/// Adds the biases, rotates queries and keys by the step's angles, and writes keys and values to the caches' rows that
/// the step names: [`add_row`], [`rope`](crate::rope()) and [`write_rows`], in place when the caller holds the only
/// handle to a cache. Gives the queries, and the caches.
///
/// # Shapes
/// The caches are `[c, kv heads * dim]`.
pub fn place(
    new: NewRows,
    caches: [Tensor<2>; 2],
    step: &DecodeStep,
    heads: Heads,
) -> (Tensor<2>, [Tensor<2>; 2]) {
    #[cfg(feature = "cube")]
    if crate::cube::holds(&caches[0]) {
        return crate::cube::place(new, caches, step, heads);
    }
    let [q, k, v] = new.qkv.apart(heads);
    let [q, k, v] = match new.biases {
        Some([of_q, of_k, of_v]) => [add_row(q, of_q), add_row(k, of_k), add_row(v, of_v)],
        None => [q, k, v],
    };
    let [keys, values] = caches;
    let k = rope(k, step.table.clone(), heads.kv);
    let caches = [write_rows(keys, k, step.at.clone()), write_rows(values, v, step.at.clone())];
    (rope(q, step.table.clone(), heads.query), caches)
}

/// `x + y`, and that sum's [`rms_norm`]: a residual connection and the norm behind it.
///
/// # Shapes
/// `[t, i]` both, and `[i]`; both results are `[t, i]`.
pub fn add_rms_norm(x: Tensor<2>, y: Tensor<2>, weight: Tensor<1>, eps: f32) -> [Tensor<2>; 2] {
    #[cfg(feature = "cube")]
    if crate::cube::holds(&x) {
        return crate::cube::add_rms_norm(x, y, weight, eps);
    }
    let sum = x + y;
    [sum.clone(), rms_norm(sum, weight, eps)]
}

/// The [`swiglu`] of two products, `x_ti * gate_oi^T` and `x_ti * up_oi^T`, of tensors without gradients: what a feed-forward
/// begins with. On a GPU that has it for few rows, one kernel.
///
/// # Shapes
/// `[t, i]` and `[o, i]` twice, to `[t, o]`.
pub fn gated_linear(x_ti: Tensor<2>, gate_oi: Tensor<2>, up_oi: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cube")]
    if let Some(product) = crate::cube::gated_linear(&x_ti, &gate_oi, &up_oi) {
        return product;
    }
    swiglu(linear(x_ti.clone(), gate_oi), linear(x_ti, up_oi))
}
