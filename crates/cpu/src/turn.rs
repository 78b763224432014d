//! Lines of numbers turned into columns, in registers.

use pulp::Simd;

use super::element::{Factor, MAX_LANES};

/// Factors of a line that are turned at a time.
pub(crate) const RUN: usize = 4;

/// Of as many lines as a vector has lanes, `width` factors apart: vector j of the result has factor j of each, in their
/// order. A vector's lanes are a multiple of [`RUN`]. Loaded so that each quarter of four
/// lanes holds a square, which is turned.
#[inline(always)]
pub(crate) fn turned<S: Simd, F: Factor>(simd: S, lines: &[F], width: usize) -> [S::f32s; RUN] {
    let lanes = S::F32_LANES;
    assert!((lanes - 1) * width + RUN <= lines.len());
    // Plain loops: a closure would be compiled by itself, without these vectors.
    let mut squares = [simd.splat_f32s(0.0); RUN];
    for (i, square) in squares.iter_mut().enumerate() {
        let mut quarters = [[0.0; RUN]; MAX_LANES / RUN];
        for (quarter, numbers) in quarters[..lanes / RUN].iter_mut().enumerate() {
            // SAFETY: at most the index that was checked above.
            let factors =
                unsafe { lines.as_ptr().add((quarter * RUN + i) * width).cast::<[F; RUN]>().read() };
            for (number, factor) in numbers.iter_mut().zip(factors) {
                *number = factor.lane();
            }
        }
        *square = S::as_simd_f32s(quarters.as_flattened()).0[0];
    }
    simd.deinterleave_shfl_f32s(squares)
}
