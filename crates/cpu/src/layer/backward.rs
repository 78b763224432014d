//! The backward pass.

use super::super::attention::Qkv;
use super::super::attention_grad::{Saved, attention_grad};
use super::super::element::Floats;
use super::super::gemm::{add_project_grad_weight, project_grad_x};
use super::super::{bias, embedding, norm, rope, swiglu};
use super::forward::add;
use super::{Activations, Batch, Parameters};
use toolrl_layout::Rotation;

/// The gradient by a layer's input, given that by its output. Those by its parameters are added to `sums`, in which an
/// empty one stands for zeros.
pub fn backward(
    kept: Activations,
    grad: Vec<f32>,
    of: &Parameters<&[f32]>,
    sums: &mut Parameters<Vec<f32>>,
    batch: Batch,
) -> Vec<f32> {
    let Activations { x, q, k, v, attended, log_sum, middle, gate, up } = kept;
    let (heads, hidden, tokens) = (batch.heads, of.attention_norm.len(), batch.packing.tokens());
    let wide = heads.query * heads.dim;
    let by_middle = feed_forward((middle, gate, up), grad, of, sums, batch.eps);

    let chosen = batch.rows.map(|rows| embedding::gather(&attended, rows, wide));
    add_project_grad_weight(chosen.as_ref().unwrap_or(&attended), &by_middle, wide, &mut sums.o);
    let spread = |by: Vec<f32>, width| match batch.rows {
        Some(rows) => embedding::gather_grad(&by, rows, tokens, width),
        None => by,
    };
    let by_attended = spread(project_grad_x(Floats::F32(&by_middle), Floats::F32(of.o), wide), wide);
    let residual = spread(by_middle, hidden);

    let qkv = Qkv { q: &q, k: &k, v: &v, heads };
    let saved = Saved { out: &attended, log_sum: &log_sum, grad: &by_attended };
    let (dq, dk, dv) = attention_grad(qkv, saved, batch.packing);
    let back = |x: Vec<f32>, heads| rope::rope(&x, batch.table, heads, Rotation::Backward);
    let by_qkv = [back(dq, heads.query), back(dk, heads.kv), dv];
    let mut by_x = projections((&x[..], by_qkv), of, sums, batch.eps);
    add(&mut by_x, &residual);
    by_x
}

/// The gradient by the feed-forward's input, given that by the layer's output.
fn feed_forward(
    (middle, gate, up): (Vec<f32>, Vec<f32>, Vec<f32>),
    grad: Vec<f32>,
    of: &Parameters<&[f32]>,
    sums: &mut Parameters<Vec<f32>>,
    eps: f32,
) -> Vec<f32> {
    let hidden = of.mlp_norm.len();
    let inner = of.down.len() / hidden;
    add_project_grad_weight(&swiglu::swiglu(&gate, &up), &grad, inner, &mut sums.down);
    let by_inner = project_grad_x(Floats::F32(&grad), Floats::F32(of.down), inner);
    let (by_gate, by_up) = swiglu::swiglu_grad(&gate, &up, &by_inner);
    drop((gate, up, by_inner));
    let normed = norm::rms_norm(&middle, of.mlp_norm, eps);
    add_project_grad_weight(&normed, &by_gate, hidden, &mut sums.gate);
    add_project_grad_weight(&normed, &by_up, hidden, &mut sums.up);
    let mut by_normed = project_grad_x(Floats::F32(&by_gate), Floats::F32(of.gate), hidden);
    add(&mut by_normed, &project_grad_x(Floats::F32(&by_up), Floats::F32(of.up), hidden));
    let (mut by_middle, by_norm) = norm::rms_norm_grad(&middle, of.mlp_norm, &by_normed, eps);
    add_row(by_norm, &mut sums.mlp_norm);
    add(&mut by_middle, &grad);
    by_middle
}

/// The gradient by attention's input, given those by queries, keys and values.
fn projections(
    (x, by_qkv): (&[f32], [Vec<f32>; 3]),
    of: &Parameters<&[f32]>,
    sums: &mut Parameters<Vec<f32>>,
    eps: f32,
) -> Vec<f32> {
    let hidden = of.attention_norm.len();
    let normed = norm::rms_norm(x, of.attention_norm, eps);
    let weights = [of.q, of.k, of.v];
    if let Some(biases) = &mut sums.biases {
        for ((sum, by), weight) in biases.iter_mut().zip(&by_qkv).zip(weights) {
            add_row(bias::add_row_grad(by, weight.len() / hidden), sum);
        }
    }
    for (sum, by) in [&mut sums.q, &mut sums.k, &mut sums.v].into_iter().zip(&by_qkv) {
        add_project_grad_weight(&normed, by, hidden, sum);
    }
    let mut by_normed = Vec::new();
    for (by, weight) in by_qkv.into_iter().zip(weights) {
        let more = project_grad_x(Floats::F32(&by), Floats::F32(weight), hidden);
        if by_normed.is_empty() { by_normed = more } else { add(&mut by_normed, &more) }
    }
    let (by_x, by_norm) = norm::rms_norm_grad(x, of.attention_norm, &by_normed, eps);
    add_row(by_norm, &mut sums.attention_norm);
    by_x
}

/// Adds the gradient of a row.
fn add_row(grad: Vec<f32>, sum: &mut Vec<f32>) {
    if sum.is_empty() { *sum = grad } else { add(sum, &grad) }
}
