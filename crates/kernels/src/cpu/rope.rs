//! Rotary position embedding in the rotate-half form of Hugging Face models.

use rayon::prelude::*;

use super::math::vectorized;
use crate::RopeTable;

/// Rotates every head of every row of `x` by the row's angles; `inverse` turns the other way, which
/// is the gradient.
///
/// With halves (a, b) of a head: (a cos - b sin, b cos + a sin).
pub(crate) fn rope(x: &[f32], table: &RopeTable, heads: usize, inverse: bool) -> Vec<f32> {
    let half = table.half();
    let mut out = vec![0.0; x.len()];
    let width = heads * 2 * half;
    let rows = out.par_chunks_mut(width).zip(x.par_chunks(width)).enumerate().with_min_len(256);
    rows.for_each(|(row, (out, x))| {
        let (cos, sin) = table.row(row);
        let sign = if inverse { -1.0 } else { 1.0 };
        vectorized(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
                    let (a, b) = x.split_at(half);
                    let (out_a, out_b) = out.split_at_mut(half);
                    let outs = out_a.iter_mut().zip(out_b.iter_mut());
                    let angles = cos.iter().zip(sin);
                    for (((out_a, out_b), (&a, &b)), (&cos, &sin)) in outs.zip(a.iter().zip(b)).zip(angles) {
                        let s = sign * sin;
                        *out_a = a * cos - b * s;
                        *out_b = b * cos + a * s;
                    }
                }
            },
        );
    });
    out
}
