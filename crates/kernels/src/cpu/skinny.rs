//! Products of a few rows with a whole weight, as decoding has them: every weight row is read once,
//! and nothing is packed.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::attention::Shared;
use super::element::{Floats, widen_into};
use super::math::dot;

/// Rows up to which this beats a general matrix product.
pub(crate) const MAX_ROWS: usize = 64;

/// Floats rows a task takes.
const TASK: usize = 64;
/// Floats rows and input rows of a register tile.
const TILE: usize = 4;

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub(crate) fn project(x: &[f32], weight: Floats, width: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / width, weight.len() / width);
    let mut out = vec![0.0; rows * outputs];
    let out_ptr = Shared(out.as_mut_ptr());
    let task = |task: usize, weight: &[f32]| {
        pulp::Arch::new().dispatch(Task { x, weight, width, outputs, first: task * TASK, out: out_ptr });
    };
    match weight {
        Floats::F32(w) => w.par_chunks(TASK * width).enumerate().for_each(|(i, w)| task(i, w)),
        // A task's rows are widened into a buffer that stays in the nearest caches.
        Floats::Bf16(w) => {
            let buffer = || vec![0.0; TASK * width];
            w.par_chunks(TASK * width).enumerate().for_each_init(buffer, |buffer, (i, w)| {
                let wide = &mut buffer[..w.len()];
                widen_into(w, wide);
                task(i, wide);
            });
        }
    }
    out
}

/// The outputs of some weight rows, `first` and following, for every row of `x`.
struct Task<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    width: usize,
    outputs: usize,
    first: usize,
    out: Shared,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, width, outputs, first, out } = self;
        for (tile, weight) in weight.chunks(TILE * width).enumerate() {
            for (block, x) in x.chunks(TILE * width).enumerate() {
                let whole = x.len() == TILE * width && weight.len() == TILE * width;
                let products =
                    if whole { full_tile(simd, x, weight, width) } else { part_tile(x, weight, width) };
                for (i, products) in products.iter().enumerate().take(x.len() / width) {
                    for (o, product) in products.iter().enumerate().take(weight.len() / width) {
                        let column = first + tile * TILE + o;
                        // SAFETY: these outputs' columns belong to this task alone.
                        unsafe { *out.at((block * TILE + i) * outputs + column) = *product };
                    }
                }
            }
        }
    }
}

/// Dot products of fewer than `TILE` rows on a side.
#[inline(always)]
fn part_tile(x: &[f32], weight: &[f32], width: usize) -> [[f32; TILE]; TILE] {
    let mut out = [[0.0; TILE]; TILE];
    for (out, x) in out.iter_mut().zip(x.chunks_exact(width)) {
        for (out, w) in out.iter_mut().zip(weight.chunks_exact(width)) {
            *out = dot(x, w);
        }
    }
    out
}

/// Dot products of a whole tile: sixteen accumulators in registers.
#[inline(always)]
fn full_tile<S: Simd>(simd: S, x: &[f32], weight: &[f32], width: usize) -> [[f32; TILE]; TILE] {
    let (x0, x1, x2, x3) = rows::<S>(x, width);
    let (w0, w1, w2, w3) = rows::<S>(weight, width);
    let mut acc = [[simd.splat_f32s(0.0); TILE]; TILE];
    let vectors = x0.0.iter().zip(x1.0).zip(x2.0).zip(x3.0).zip(w0.0).zip(w1.0).zip(w2.0).zip(w3.0);
    for (((((((x0, x1), x2), x3), w0), w1), w2), w3) in vectors {
        let (x, w) = ([*x0, *x1, *x2, *x3], [*w0, *w1, *w2, *w3]);
        for i in 0..TILE {
            for o in 0..TILE {
                acc[i][o] = simd.mul_add_e_f32s(x[i], w[o], acc[i][o]);
            }
        }
    }
    let (x_rest, w_rest) = ([x0.1, x1.1, x2.1, x3.1], [w0.1, w1.1, w2.1, w3.1]);
    let mut out = [[0.0; TILE]; TILE];
    for i in 0..TILE {
        for o in 0..TILE {
            let rest: f32 = x_rest[i].iter().zip(w_rest[o]).map(|(a, b)| a * b).sum();
            out[i][o] = simd.reduce_sum_f32s(acc[i][o]) + rest;
        }
    }
    out
}

/// A row as vectors and a rest.
type Row<'a, S> = (&'a [<S as Simd>::f32s], &'a [f32]);

/// The rows of a whole tile.
#[inline(always)]
fn rows<S: Simd>(tile: &[f32], width: usize) -> (Row<'_, S>, Row<'_, S>, Row<'_, S>, Row<'_, S>) {
    let (a, rest) = tile.split_at(width);
    let (b, rest) = rest.split_at(width);
    let (c, d) = rest.split_at(width);
    (S::as_simd_f32s(a), S::as_simd_f32s(b), S::as_simd_f32s(c), S::as_simd_f32s(d))
}
