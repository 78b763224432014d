//! An optimiser's step, the norm of gradients and a checksum, where the tensors are. On the CPU they are made of plain
//! operations: a trainer there has faster ways, since it can reach the numbers.

use std::sync::Arc;

use burn::tensor::Tensor;

/// The constants of one step of AdamW ("Decoupled Weight Decay Regularization", arXiv 1711.05101).
#[derive(Clone, Debug)]
pub struct AdamWStep {
    /// Number of the step, from 1.
    pub t: u32,
    /// This step's learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
    /// Decoupled: parameters shrink by `lr * weight_decay` a step, whatever the gradient.
    pub weight_decay: f64,
    /// Multiplies every gradient first. The parameters of a step share it.
    pub grad_scale: Arc<f32>,
}

/// A parameter with the means of its gradients and of their squares: f32, of one length.
#[derive(Clone, Debug)]
pub struct AdamWState {
    /// The parameter.
    pub param: Tensor<1>,
    /// Zeros before the first step.
    pub mean: Tensor<1>,
    /// Zeros before the first step.
    pub mean_square: Tensor<1>,
}

/// One step, in place where the caller holds the only handles: with `g` the scaled gradient,
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = (1 - lr wd) p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
pub fn adamw(state: AdamWState, grad: Tensor<1>, step: &AdamWStep) -> AdamWState {
    #[cfg(feature = "cube")]
    if crate::cube::holds(&state.param) {
        return crate::cube::adamw(state, grad, step);
    }
    let (t, grad) = (f64::from(step.t.max(1)), grad * *step.grad_scale);
    let mean = state.mean * step.beta1 + grad.clone() * (1.0 - step.beta1);
    let mean_square = state.mean_square * step.beta2 + grad.clone() * grad * (1.0 - step.beta2);
    let root = mean_square.clone().sqrt() * (1.0 / (1.0 - step.beta2.powf(t)).sqrt()) + step.epsilon;
    let change = mean.clone() / root * (step.lr / (1.0 - step.beta1.powf(t)));
    AdamWState { param: state.param * (1.0 - step.lr * step.weight_decay) - change, mean, mean_square }
}

/// The root of the sum of squares of all numbers. Waits for the device.
pub fn norm(of: &[Tensor<1>]) -> f64 {
    #[cfg(feature = "cube")]
    if of.first().is_some_and(crate::cube::holds) {
        return crate::cube::norm(of);
    }
    let squares = of.iter().flat_map(|t| numbers(t.clone())).map(|x| f64::from(x).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Of each tensor, a sum of a hash of every number's bits and place: the same for the same numbers on any device. Waits
/// for the device.
pub fn checksums(of: &[Tensor<1>]) -> Vec<u32> {
    #[cfg(feature = "cube")]
    if of.first().is_some_and(crate::cube::holds) {
        return crate::cube::checksums(of);
    }
    let hash = |(at, value): (usize, f32)| {
        let mut hash = value.to_bits() ^ (at as u32).wrapping_mul(0x9E37_79B9);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^ (hash >> 16)
    };
    let sum = |t: &Tensor<1>| numbers(t.clone()).into_iter().enumerate().map(hash).fold(0, u32::wrapping_add);
    of.iter().map(sum).collect()
}

fn numbers(t: Tensor<1>) -> Vec<f32> {
    // f32, so the conversion moves and cannot fail.
    t.into_data().try_into_vec_as().unwrap_or_default()
}
