//! RMSNorm, forward and backward, row by row.

use rayon::prelude::*;

use super::math::{sum2, vectorized};

/// Rows a task takes.
const ROWS: usize = 256;

/// `out = x / sqrt(mean(x^2) + eps) * weight` for every row of width `weight.len()`.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let width = weight.len();
    let mut out = vec![0.0; x.len()];
    let tasks = out.par_chunks_mut(width * ROWS).zip(x.par_chunks(width * ROWS));
    tasks.for_each(|(out, x)| {
        vectorized(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let r = inverse_rms(x, eps);
                    for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
                        *out = x * r * weight;
                    }
                }
            },
        );
    });
    out
}

/// Gradients of [`rms_norm`] by `x` and `weight`: with r = 1/rms and n = x r,
/// dx = r (g w - n mean(g w n)), dw = sum over rows of g n.
pub(crate) fn rms_norm_grad(x: &[f32], weight: &[f32], grad: &[f32], eps: f32) -> (Vec<f32>, Vec<f32>) {
    let width = weight.len();
    let mut dx = vec![0.0; x.len()];
    let chunks =
        dx.par_chunks_mut(width * ROWS).zip(x.par_chunks(width * ROWS)).zip(grad.par_chunks(width * ROWS));
    let partial: Vec<Vec<f32>> = chunks
        .map(|((dx, x), grad)| {
            let mut dw = vec![0.0; width];
            vectorized(
                #[inline(always)]
                || grad_rows(dx, &mut dw, x, weight, grad, eps),
            );
            dw
        })
        .collect();
    let mut dw = vec![0.0; width];
    for part in partial {
        for (d, p) in dw.iter_mut().zip(part) {
            *d += p;
        }
    }
    (dx, dw)
}

#[inline(always)]
fn grad_rows(dx: &mut [f32], dw: &mut [f32], x: &[f32], weight: &[f32], grad: &[f32], eps: f32) {
    let width = weight.len();
    let mut gw = vec![0.0; width];
    let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width));
    for ((dx, x), g) in rows {
        let r = inverse_rms(x, eps);
        let sums = gw.iter_mut().zip(dw.iter_mut());
        for ((gw, dw), ((&g, &x), &weight)) in sums.zip(g.iter().zip(x).zip(weight)) {
            *gw = g * weight;
            *dw += g * x * r;
        }
        let mean = sum2(&gw, x, |a, b| a * b) * r / width as f32;
        for ((dx, &gw), &x) in dx.iter_mut().zip(&gw).zip(x) {
            *dx = r * (gw - x * r * mean);
        }
    }
}

#[inline(always)]
fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (sum2(x, x, |a, b| a * b) / x.len() as f32 + eps).sqrt()
}
