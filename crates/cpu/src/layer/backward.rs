//! The backward pass.

use super::super::attention::Qkv;
use super::super::attention_grad::{Saved, attention_grad};
use super::super::gemm::{Threads, add_project_grad_weight, project_grad_x};
use super::super::numbers::{Floats, Numbers, add, operand};
use super::super::{bias, embedding, norm, rope, swiglu};
use super::{Activations, Batch, Parameters};
use toolrl_layout::Rotation;

/// The gradient by a layer's input, given that by its output. Those by its parameters are added to `sums`, in which an
/// empty one stands for zeros.
pub fn backward(
    kept: Activations,
    grad: Vec<f32>,
    of: &Parameters<Floats>,
    sums: &mut Parameters<Vec<f32>>,
    batch: Batch,
) -> Vec<f32> {
    let Activations { x, q, k, v, attended, log_sum, middle, gate, up } = kept;
    let (heads, hidden, tokens) = (batch.heads, of.attention_norm.len(), batch.packing.tokens());
    let wide = heads.query * heads.dim;
    let by_middle = feed_forward([middle, gate, up], grad, of, sums, batch.eps);

    let by_attended = {
        let chosen = batch.rows.map(|rows| attended.floats().rows(rows, wide));
        let attended = chosen.as_ref().unwrap_or(&attended).floats();
        let mut rounded = Vec::new();
        let by_middle = operand(&by_middle, attended, &mut rounded, Threads::All);
        add_project_grad_weight(attended, by_middle, wide, &mut sums.o);
        project_grad_x(by_middle, of.o, wide)
    };
    let spread = |by: Vec<f32>, width| match batch.rows {
        Some(rows) => embedding::gather_grad(&by, rows, tokens, width),
        None => by,
    };
    let (by_attended, residual) = (spread(by_attended, wide), spread(by_middle, hidden));

    let qkv = Qkv { q: q.floats(), k: k.floats(), v: v.floats(), heads };
    let saved = Saved { out: attended.floats(), log_sum: &log_sum.wide(), grad: &by_attended };
    let (dq, dk, dv) = attention_grad(qkv, saved, batch.packing);
    let back =
        |x: Vec<f32>, heads| rope::rope(Floats::F32(&x), batch.table, heads, Rotation::Backward).wide();
    let by_qkv = [back(dq, heads.query), back(dk, heads.kv), dv];
    let mut by_x = projections((x.floats(), by_qkv), of, sums, batch.eps);
    add(&mut by_x, &residual);
    by_x
}

/// The gradient by the feed-forward's input, given that by the layer's output.
fn feed_forward(
    [middle, gate, up]: [Numbers; 3],
    grad: Vec<f32>,
    of: &Parameters<Floats>,
    sums: &mut Parameters<Vec<f32>>,
    eps: f32,
) -> Vec<f32> {
    let hidden = of.mlp_norm.len();
    let inner = of.down.len() / hidden;
    let by_inner = {
        let mut rounded = Vec::new();
        let by_y = operand(&grad, gate.floats(), &mut rounded, Threads::All);
        let gated = swiglu::swiglu(gate.floats(), up.floats());
        add_project_grad_weight(gated.floats(), by_y, inner, &mut sums.down);
        project_grad_x(by_y, of.down, inner)
    };
    let [by_gate, by_up] = swiglu::swiglu_grad(gate.floats(), up.floats(), &by_inner);
    drop((gate, up, by_inner));
    let normed = norm::rms_norm(middle.floats(), of.mlp_norm, eps);
    add_project_grad_weight(normed.floats(), by_gate.floats(), hidden, &mut sums.gate);
    add_project_grad_weight(normed.floats(), by_up.floats(), hidden, &mut sums.up);
    let mut by_normed = project_grad_x(by_gate.floats(), of.gate, hidden);
    add(&mut by_normed, &project_grad_x(by_up.floats(), of.up, hidden));
    let (mut by_middle, by_norm) = norm::rms_norm_grad(middle.floats(), of.mlp_norm, &by_normed, eps);
    add_row(by_norm, &mut sums.mlp_norm);
    add(&mut by_middle, &grad);
    by_middle
}

/// The gradient by attention's input, given those by queries, keys and values.
fn projections(
    (x, by_qkv): (Floats, [Vec<f32>; 3]),
    of: &Parameters<Floats>,
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
    let (mut by_normed, mut rounded) = (Vec::new(), Vec::new());
    let of_weights = [&mut sums.q, &mut sums.k, &mut sums.v];
    for ((by, weight), sum) in by_qkv.iter().zip(weights).zip(of_weights) {
        let by = operand(by, x, &mut rounded, Threads::All);
        add_project_grad_weight(normed.floats(), by, hidden, sum);
        let more = project_grad_x(by, weight, hidden);
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
