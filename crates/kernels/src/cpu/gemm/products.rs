//! A linear layer's three products.

use super::super::element::Floats;
use super::{Mat, Threads, gemm};

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub(crate) fn project(x: &[f32], weight: Floats, width: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / width, weight.len() / width);
    let mut out = vec![0.0; rows * outputs];
    let weight = Mat::stored(weight, outputs, width, width);
    gemm(&mut out, outputs, false, Mat::new(x, rows, width, width), weight.t(), Threads::All);
    out
}

/// `grad * weight`, the gradient of [`project`] by `x`: `grad` is `[rows, outputs]`.
pub(crate) fn project_grad_x(grad: &[f32], weight: Floats, width: usize) -> Vec<f32> {
    let outputs = weight.len() / width;
    let rows = grad.len() / outputs;
    let mut out = vec![0.0; rows * width];
    let weight = Mat::stored(weight, outputs, width, width);
    gemm(&mut out, width, false, Mat::new(grad, rows, outputs, outputs), weight, Threads::All);
    out
}

/// `grad^T * x`, the gradient of [`project`] by the weight.
pub(crate) fn project_grad_weight(x: &[f32], grad: &[f32], width: usize, outputs: usize) -> Vec<f32> {
    let rows = x.len() / width;
    let mut out = vec![0.0; outputs * width];
    let grad = Mat::new(grad, rows, outputs, outputs);
    gemm(&mut out, width, false, grad.t(), Mat::new(x, rows, width, width), Threads::All);
    out
}
