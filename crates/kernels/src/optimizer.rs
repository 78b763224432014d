//! An optimiser's step, the norm of gradients and a checksum, where the tensors are. On the CPU the step is made of plain
//! operations: a trainer there has faster ways, since it can reach the numbers.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::FusedOps;
use crate::containers::Tensors;
use crate::{AdamWState, AdamWStep, Mirrored};

/// One step, in place where the caller holds the only handles: with `g` the gradient times `grad_scale`,
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = (1 - lr wd) p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
pub fn adamw(
    state: AdamWState<Tensor<1>>,
    grad: Tensor<1>,
    grad_scale: Mirrored<f32>,
    step: &AdamWStep,
) -> AdamWState<Tensor<1>> {
    let [param, mean, mean_square, grad] =
        [state.param, state.mean, state.mean_square, grad].map(Tensor::into_dispatch);
    let (param, mean, mean_square) = Dispatch::adamw(param, mean, mean_square, grad, grad_scale, step);
    let [param, mean, mean_square] = [param, mean, mean_square].map(Tensor::from_dispatch);
    AdamWState { param, mean, mean_square }
}

/// The root of the sum of squares of all numbers; 0 of nothing. Waits for the device.
pub fn norm(of: &[Tensor<1>]) -> f64 {
    if of.is_empty() { 0.0 } else { Dispatch::norm(tensors(of)) }
}

/// Of each tensor, a sum of a hash of every number's bits and place: the same for the same numbers on any device. Waits
/// for the device.
pub fn checksums(of: &[Tensor<1>]) -> Vec<u32> {
    if of.is_empty() { Vec::new() } else { Dispatch::checksums(tensors(of)) }
}

fn tensors(of: &[Tensor<1>]) -> Tensors<Dispatch> {
    Tensors(of.iter().map(|t| t.clone().into_dispatch()).collect())
}
