//! A linear layer's three products.

use super::super::numbers::Floats;
use super::{Mat, Threads, Write, gemm, gemm_raw};

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub fn project(x: Floats, weight: Floats, width: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / width, weight.len() / width);
    product(Mat::stored(x, rows, width, width), Mat::stored(weight, outputs, width, width).t())
}

/// `grad * weight`, the gradient of [`project`] by `x`: `grad` is `[rows, outputs]`.
pub fn project_grad_x(grad: Floats, weight: Floats, width: usize) -> Vec<f32> {
    let outputs = weight.len() / width;
    let rows = grad.len() / outputs;
    product(Mat::stored(grad, rows, outputs, outputs), Mat::stored(weight, outputs, width, width))
}

/// `grad^T * x`, the gradient of [`project`] by the weight.
pub fn project_grad_weight(x: Floats, grad: Floats, width: usize, outputs: usize) -> Vec<f32> {
    let rows = x.len() / width;
    product(Mat::stored(grad, rows, outputs, outputs).t(), Mat::stored(x, rows, width, width))
}

/// As [`project_grad_weight`], added to a gradient that is there; to an empty one, it is that.
pub fn add_project_grad_weight(x: Floats, grad: Floats, width: usize, sum: &mut Vec<f32>) {
    let rows = x.len() / width;
    let outputs = grad.len() / rows.max(1);
    if sum.is_empty() {
        *sum = project_grad_weight(x, grad, width, outputs);
        return;
    }
    let (grad, x) = (Mat::stored(grad, rows, outputs, outputs).t(), Mat::stored(x, rows, width, width));
    gemm(sum, width, Write::Add, grad, x, Threads::All);
}

/// `lhs * rhs`, row-major, to memory that is not filled with zeros first.
fn product(lhs: Mat, rhs: Mat) -> Vec<f32> {
    let ((m, k), (inner, n)) = (lhs.shape, rhs.shape);
    assert_eq!(k, inner, "product: inner sizes differ");
    let mut out = Vec::with_capacity(m * n);
    // SAFETY: there is room for the m by n result, all of which the product writes.
    unsafe {
        gemm_raw(out.as_mut_ptr(), n, Write::Set, lhs, rhs, Threads::All);
        out.set_len(m * n);
    }
    out
}
