//! Rows of a table by index, and the sum of gradients by row.

use super::element::Element;

/// Copies the rows `ids` of a table of `width` columns.
pub fn gather<E: Element>(table: &[E], ids: &[u32], width: usize) -> Vec<E> {
    let mut out = Vec::with_capacity(ids.len() * width);
    for &id in ids {
        let start = id as usize * width;
        out.extend_from_slice(&table[start..start + width]);
    }
    out
}

/// Adds each row of `grad` to the row of the table that it came from, in row order.
pub fn gather_grad(grad: &[f32], ids: &[u32], rows: usize, width: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    for (&id, grad) in ids.iter().zip(grad.chunks_exact(width)) {
        let start = id as usize * width;
        for (o, g) in out[start..start + width].iter_mut().zip(grad) {
            *o += g;
        }
    }
    out
}
