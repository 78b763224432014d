//! The head: logits for a chunk of rows at a time, by a matrix product, and what a loss needs of each.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Slice};
use burn_cubecl::CubeBackend;
use burn_cubecl::ops::numeric::add;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Buffer, Indices};

use super::product::product;
use super::tensor::{buffer, contiguous, fits, rows, stored, tensor, transposed};
use crate::backend::SavedHead;

/// Bytes of logits that are there at a time.
const CHUNK: usize = 1 << 30;

/// Rows of logits that are there at a time.
fn chunk(vocabulary: usize) -> usize {
    (CHUNK / (4 * vocabulary.max(1))).max(1)
}

/// Rows `from` to `to` of a matrix.
fn part(t: &CubeTensor, from: usize, to: usize) -> CubeTensor {
    if from == 0 && to == rows(t) {
        return t.clone();
    }
    let columns = t.meta.shape()[1];
    contiguous(CubeBackend::float_slice(t.clone(), &[Slice::from(from..to), Slice::from(0..columns)]))
}

/// The logits of rows, f32.
fn logits(x: CubeTensor, weight: &CubeTensor) -> CubeTensor {
    product(x, transposed(weight.clone()), DType::F32)
}

/// Log-probability and entropy of each row: `[2, n]`.
pub(super) fn forward(
    x: &CubeTensor,
    weight: &CubeTensor,
    targets: &[u32],
    inverse_temperature: f32,
) -> CubeTensor {
    let (n, step, client) = (rows(x), chunk(rows(weight)), &x.client);
    let (mut logprobs, mut entropies) = (Vec::new(), Vec::new());
    for from in (0..n).step_by(step) {
        let to = (from + step).min(n);
        let logits_nv = logits(part(x, from, to), weight);
        let targets = Indices::from_slice(client, &targets[from..to]);
        let stats = toolrl_cube::logprob_entropy(client, &buffer(&logits_nv), &targets, inverse_temperature);
        let stats = fits(stats);
        logprobs.push(tensor(x, &stats.logprob_n, [1, to - from]));
        entropies.push(tensor(x, &stats.entropy_n, [1, to - from]));
    }
    if n == 0 {
        return tensor(x, &Buffer::empty(client, 0, toolrl_cube::Dtype::F32), [2, 0]);
    }
    let row = |parts: Vec<CubeTensor>| CubeBackend::float_cat(parts, 1);
    contiguous(CubeBackend::float_cat(vec![row(logprobs), row(entropies)], 0))
}

/// Gradients by the hidden states and by the weight. The logits are computed again.
pub(super) fn backward(saved: SavedHead<CubeBackend>, grad: CubeTensor) -> [CubeTensor; 2] {
    let SavedHead { operands: [x, weight], targets, inverse_temperature, .. } = saved;
    let (n, step, client, grad) = (rows(&x), chunk(rows(&weight)), x.client.clone(), contiguous(grad));
    let (mut dx, mut dw): (Vec<CubeTensor>, Option<CubeTensor>) = (Vec::new(), None);
    for from in (0..n).step_by(step) {
        let to = (from + step).min(n);
        let x_ni = part(&x, from, to);
        let logits_nv = logits(x_ni.clone(), &weight);
        let targets = Indices::from_slice(&client, &targets[from..to]);
        let stats = toolrl_cube::logprob_entropy(&client, &buffer(&logits_nv), &targets, inverse_temperature);
        let stats = fits(stats);
        let [by_logprob, by_entropy] = [0, 1].map(|row| {
            let slices = [Slice::from(row..row + 1), Slice::from(from..to)];
            buffer(&contiguous(CubeBackend::float_slice(grad.clone(), &slices)))
        });
        fits(toolrl_cube::logprob_entropy_grad(
            &client,
            &buffer(&logits_nv),
            &targets,
            &stats,
            [&by_logprob, &by_entropy],
            inverse_temperature,
        ));
        // In the weight's storage, once for both products.
        let by_logits = stored(logits_nv, weight.dtype);
        dx.push(product(by_logits.clone(), weight.clone(), x.dtype));
        let more = product(transposed(by_logits), x_ni, DType::F32);
        dw = Some(match dw {
            Some(sum) => add(sum, more),
            None => more,
        });
    }
    let dw = dw.unwrap_or_else(|| {
        burn_cubecl::ops::numeric::zeros(x.device.clone(), weight.meta.shape().clone(), DType::F32)
    });
    let dx = match dx.len() {
        0 => x,
        1 => dx.remove(0),
        _ => contiguous(CubeBackend::float_cat(dx, 0)),
    };
    [dx, dw]
}
