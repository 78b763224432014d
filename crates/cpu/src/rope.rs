//! Rotary position embedding in the rotate-half form of Hugging Face models.

use super::math::vectorized;
use super::team::parts;
use toolrl_layout::{RopeTable, Rotation};

/// Rows a task takes.
const ROWS: usize = 64;

/// Rotates every head of every row of `x` by the row's angles.
///
/// With halves (a, b) of a head: (a cos - b sin, b cos + a sin).
pub fn rope(x: &[f32], table: &RopeTable, heads: usize, rotation: Rotation) -> Vec<f32> {
    let half = table.half();
    let width = heads * 2 * half;
    let sign = match rotation {
        Rotation::Forward => 1.0,
        Rotation::Backward => -1.0,
    };
    let [out] = parts([(x.len(), width * ROWS)], |i, [out]| {
        let rows = out.chunks_exact_mut(width).zip(x[i * width * ROWS..].chunks_exact(width));
        vectorized(
            #[inline(always)]
            || {
                for (row, (out, x)) in rows.enumerate() {
                    rotate(out, x, table.row(i * ROWS + row), sign);
                }
            },
        );
    });
    out
}

/// One row.
#[inline(always)]
fn rotate(out: &mut [f32], x: &[f32], (cos, sin): (&[f32], &[f32]), sign: f32) {
    let half = cos.len();
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
}
