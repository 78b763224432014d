//! A row added to every row, and its gradient.

use super::element::Element;
use super::numbers::Floats;

/// Adds `row` to every row of `x`.
pub fn add_row(x: &[f32], row: Floats) -> Vec<f32> {
    match row {
        Floats::F32(row) => add(x, row),
        Floats::Bf16(row) => add(x, row),
    }
}

fn add<E: Element>(x: &[f32], row: &[E]) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for x in x.chunks_exact(row.len()) {
        out.extend(x.iter().zip(row).map(|(x, r)| x + r.widen()));
    }
    out
}

/// The sum of the rows of `grad`, which are `width` wide.
pub fn add_row_grad(grad: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; width];
    for grad in grad.chunks_exact(width) {
        for (o, g) in out.iter_mut().zip(grad) {
            *o += g;
        }
    }
    out
}
