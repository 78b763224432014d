//! The fused operations as an extension of burn's backends: one trait that burn dispatches on, by the device that
//! holds the tensors, and one for what only a backward pass needs.
//!
//! An operation is a method of [`FusedOps`], called through `Dispatch` by a function of the crate's root. Where it has a
//! body here, that is made of the others, which are its plain form and have its gradient; a backend that does better has
//! its own. Every other is implemented for the CPU ([`crate::flex`]), for GPUs (`crate::cube`), and for tensors with
//! gradients ([`crate::autodiff`]).

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, backend_extension};
use burn::tensor::Slice;

use crate::containers::{RowTensors, Tensors};
use crate::step::ReplayedSteps;
use crate::{AdamWStep, CacheSpans, Heads, Ids, Mirrored, NewRows, Packing, Projected, RopeTable, StepRoom};

/// Forward passes, and what has no backward pass. Shapes are those of the functions of the crate's root.
#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "cube"))]
pub trait FusedOps: Backend {
    /// See [`crate::linear`].
    fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::embedding`].
    fn gather_rows(table: FloatTensor<Self>, ids: Ids) -> FloatTensor<Self>;
    /// See [`crate::rms_norm`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
    /// See [`crate::rope()`].
    fn rope(x: FloatTensor<Self>, table: Mirrored<RopeTable>, heads: usize) -> FloatTensor<Self>;
    /// See [`crate::swiglu`].
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::add_row`].
    fn add_row(x: FloatTensor<Self>, row: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`crate::attention`].
    fn packed_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        packing: Mirrored<Packing>,
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
        spans: Mirrored<Vec<CacheSpans>>,
        heads: Heads,
    ) -> FloatTensor<Self>;
    /// See [`crate::sum_by_id`]. Has no gradient.
    fn sum_by_id(rows: FloatTensor<Self>, ids: Ids, count: usize) -> FloatTensor<Self>;
    /// See [`crate::write_rows`]. Has no gradient.
    fn write_rows(cache: FloatTensor<Self>, new: FloatTensor<Self>, at: Ids) -> FloatTensor<Self>;
    /// See [`crate::norm`].
    fn norm(#[extension_type] of: Tensors<Self>) -> f64;
    /// See [`crate::checksums`].
    fn checksums(#[extension_type] of: Tensors<Self>) -> Vec<u32>;

    /// See [`crate::add_rms_norm`].
    fn add_rms_norm(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let sum = Self::float_add(x, y);
        (sum.clone(), Self::rms_norm(sum, weight, eps))
    }

    /// See [`crate::gated_linear`].
    fn gated_project(
        x: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::swiglu(Self::project(x.clone(), gate), Self::project(x, up))
    }

    /// See [`crate::place`]: the queries, and the caches of keys and values.
    fn place(
        #[extension_type] new: RowTensors<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        table: Mirrored<RopeTable>,
        at: Ids,
        heads: Heads,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let NewRows { qkv, biases } = new.0;
        let [q, k, v] = match qkv {
            Projected::Apart(qkv) => qkv,
            Projected::Joined(all) => {
                let (rows, q, kv) = (all.shape()[0], heads.query * heads.dim, heads.kv * heads.dim);
                let columns = [0..q, q..q + kv, q + kv..q + 2 * kv];
                columns.map(|columns| {
                    Self::float_slice(all.clone(), &[Slice::from(0..rows), Slice::from(columns)])
                })
            }
        };
        let [q, k, v] = match biases {
            Some([of_q, of_k, of_v]) => {
                [Self::add_row(q, of_q), Self::add_row(k, of_k), Self::add_row(v, of_v)]
            }
            None => [q, k, v],
        };
        let k = Self::rope(k, table.clone(), heads.kv);
        let (keys, values) = (Self::write_rows(keys, k, at.clone()), Self::write_rows(values, v, at));
        (Self::rope(q, table, heads.query), keys, values)
    }

    /// See [`crate::adamw`]: the parameter, the mean and the mean square.
    fn adamw(
        param: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        mean_square: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        grad_scale: Mirrored<f32>,
        step: &AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let times = |t: FloatTensor<Self>, by: f64| Self::float_mul_scalar(t, by.into());
        let moved = |old, decay, new| Self::float_add(times(old, decay), times(new, 1.0 - decay));
        let grad = times(grad, f64::from(*grad_scale));
        let mean = moved(mean, step.beta1, grad.clone());
        let mean_square = moved(mean_square, step.beta2, Self::float_mul(grad.clone(), grad));
        let root = times(Self::float_sqrt(mean_square.clone()), step.root_correction());
        let root = Self::float_add_scalar(root, step.epsilon.into());
        let change = times(Self::float_div(mean.clone(), root), step.step_size());
        (Self::float_sub(times(param, step.keep()), change), mean, mean_square)
    }

    /// The kernels that compute [`FusedOps::project`] of these, where there is a choice. See [`crate::linear_kernels`].
    fn project_kernels(_x: &FloatTensor<Self>, _weight: &FloatTensor<Self>) -> Vec<String> {
        Vec::new()
    }

    /// By the kernel with this place in the list.
    fn project_by(x: FloatTensor<Self>, weight: FloatTensor<Self>, _kernel: usize) -> FloatTensor<Self> {
        Self::project(x, weight)
    }

    /// See [`crate::StepGraph::new`].
    fn step_graph(_beside: FloatTensor<Self>, _room: &StepRoom) -> Option<Box<dyn ReplayedSteps>> {
        None
    }
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
    /// Gradients of [`FusedOps::rms_norm`] by `x` and `weight`.
    fn rms_norm_grad(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f32,
    ) -> [FloatTensor<Self>; 2];
    /// Gradient of [`FusedOps::rope`].
    fn rope_grad(grad: FloatTensor<Self>, table: Mirrored<RopeTable>, heads: usize) -> FloatTensor<Self>;
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
        packing: Mirrored<Packing>,
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
    pub packing: Mirrored<Packing>,
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
