//! The optimiser's kernels on burn's tensors.

use burn::tensor::Tensor;
use toolrl_cube::{Buffer, Dtype, SquareSums};

use super::decoding::{context, lowered, raised};
use super::tensor::{buffer, fits, writable};
use super::upload;
use crate::{AdamWState, AdamWStep};

/// See [`crate::adamw`].
pub(crate) fn adamw(state: AdamWState, grad: Tensor<1>, step: &AdamWStep) -> AdamWState {
    let context = context(&grad);
    let [param, mean, mean_square] =
        [state.param, state.mean, state.mean_square].map(|t| writable(lowered(t)));
    let (client, grad) = (&param.client, lowered(grad));
    let clip = upload::once(&step.grad_scale, &param.device, |scale| {
        Buffer::from_slice(client, &[0.0, *scale], Dtype::F32)
    });
    let buffers = toolrl_cube::AdamWState {
        param: buffer(&param),
        mean: buffer(&mean),
        mean_square: buffer(&mean_square),
        copy: None,
    };
    let AdamWStep { t, lr, beta1, beta2, epsilon, weight_decay, .. } = *step;
    let step = toolrl_cube::AdamWStep { t, lr, beta1, beta2, epsilon, weight_decay };
    fits(toolrl_cube::adamw_step(client, &buffers, &buffer(&grad), &clip, &step));
    let [param, mean, mean_square] = [param, mean, mean_square].map(|t| raised(t, context));
    AdamWState { param, mean, mean_square }
}

/// See [`crate::norm`].
pub(crate) fn norm(of: &[Tensor<1>]) -> f64 {
    let tensors: Vec<_> = of.iter().map(|t| lowered(t.clone())).collect();
    let Some(first) = tensors.first() else { return 0.0 };
    let mut sums = SquareSums::new();
    tensors.iter().for_each(|t| sums.add(&t.client, &buffer(t)));
    let norm = fits(sums.clip(&first.client, 1.0).read(&first.client));
    norm.first().map_or(0.0, |&norm| f64::from(norm))
}

/// See [`crate::checksums`].
pub(crate) fn checksums(of: &[Tensor<1>]) -> Vec<u32> {
    let tensors: Vec<_> = of.iter().map(|t| lowered(t.clone())).collect();
    let Some(first) = tensors.first() else { return Vec::new() };
    let buffers: Vec<_> = tensors.iter().map(buffer).collect();
    fits(toolrl_cube::checksums(&first.client, &buffers))
}
