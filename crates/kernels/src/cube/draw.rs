//! Tokens drawn where the logits are.

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use toolrl_cube::{Buffer, Dtype, SamplingParams, sample};

use super::tensor::{buffer, contiguous, fits};
use crate::{Draws, Sampling};

/// See [`crate::draw`].
pub(crate) fn draw(logits_nv: &Tensor<2>, uniform_n: &[f64], sampling: &Sampling) -> Option<Draws> {
    let DispatchTensorKind::Cube(BackendTensor::Float(logits)) = logits_nv.clone().into_dispatch().kind
    else {
        return None;
    };
    let logits = contiguous(logits);
    let client = &logits.client;
    let uniform: Vec<f32> = uniform_n.iter().copied().map(below_one).collect();
    let uniform = Buffer::from_slice(client, &uniform, Dtype::F32);
    let params = SamplingParams { temperature: sampling.temperature, top_k: None, top_p: sampling.top_p };
    let drawn = fits(sample(client, &buffer(&logits), &uniform, &params));
    let tokens =
        fits(drawn.token_n.read(client)).into_iter().map(|token| Some(token).filter(|&t| t != u32::MAX));
    Some(Draws { tokens: tokens.collect(), logprobs: fits(drawn.logprob_n.read(client)) })
}

/// The f32 below or at a number in [0, 1), never 1.
fn below_one(uniform: f64) -> f32 {
    let near = uniform as f32;
    if f64::from(near) > uniform { near.next_down() } else { near }
}
