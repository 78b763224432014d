//! Rotary position embedding in the rotate-half form of Hugging Face models.

use super::element::Element;
use super::math::vectorized;
use super::numbers::{Floats, Numbers};
use super::team::parts;
use toolrl_layout::{RopeTable, Rotation};

/// Rows a task takes.
const ROWS: usize = 64;

/// Rotates every head of every row of `x` by the row's angles.
///
/// With halves (a, b) of a head: (a cos - b sin, b cos + a sin).
pub fn rope(x: Floats, table: &RopeTable, heads: usize, rotation: Rotation) -> Numbers {
    match x {
        Floats::F32(x) => rotated(x, table, heads, rotation).into(),
        Floats::Bf16(x) => rotated(x, table, heads, rotation).into(),
    }
}

fn rotated<E: Element>(x: &[E], table: &RopeTable, heads: usize, rotation: Rotation) -> Vec<E> {
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
fn rotate<E: Element>(out: &mut [E], x: &[E], (cos, sin): (&[f32], &[f32]), sign: f32) {
    let half = cos.len();
    for (out, x) in out.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
        let (a, b) = x.split_at(half);
        let (out_a, out_b) = out.split_at_mut(half);
        let outs = out_a.iter_mut().zip(out_b.iter_mut());
        let angles = cos.iter().zip(sin);
        for (((out_a, out_b), (a, b)), (&cos, &sin)) in outs.zip(a.iter().zip(b)).zip(angles) {
            let (a, b, s) = (a.widen(), b.widen(), sign * sin);
            *out_a = E::round(a * cos - b * s);
            *out_b = E::round(b * cos + a * s);
        }
    }
}
