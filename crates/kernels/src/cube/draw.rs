//! Tokens drawn where the logits are.

use burn::tensor::Tensor;
use cubecl::prelude::Client;
use toolrl_cube::{Buffer, Dtype, SamplingParams, sample};

use super::decoding::lower;
use super::tensor::{buffer, contiguous, fits};
use crate::{Draws, Sampling};

/// See [`crate::draw`].
pub(crate) fn draw(logits_nv: &Tensor<2>, uniform_n: &[f64], sampling: &Sampling) -> Option<Draws> {
    let logits = contiguous(lower(logits_nv.clone())?);
    let client = &logits.client;
    let uniform: Vec<f32> = uniform_n.iter().copied().map(below_one).collect();
    let uniform = Buffer::from_slice(client, &uniform, Dtype::F32);
    let drawn = fits(sample(client, &buffer(&logits), &uniform, &params(sampling)));
    Some(read(client, &drawn))
}

/// What was drawn; waits for the device.
pub(super) fn read(client: &Client, drawn: &toolrl_cube::Draws) -> Draws {
    let (tokens, logprobs) = fits(drawn.read(client));
    Draws {
        tokens: tokens.into_iter().map(|token| Some(token).filter(|&t| t != u32::MAX)).collect(),
        logprobs,
    }
}

pub(super) fn params(sampling: &Sampling) -> SamplingParams {
    SamplingParams { temperature: sampling.temperature, top_k: None, top_p: sampling.top_p }
}

/// The f32 below or at a number in [0, 1), never 1.
pub(super) fn below_one(uniform: f64) -> f32 {
    let near = uniform as f32;
    if f64::from(near) > uniform { near.next_down() } else { near }
}
