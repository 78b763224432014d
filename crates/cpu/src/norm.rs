//! RMSNorm, forward and backward, row by row.

use super::element::Element;
use super::math::{sum2, vectorized};
use super::numbers::{Floats, Numbers};
use super::team::parts;

/// Rows a task takes.
const ROWS: usize = 64;

/// `out = x / sqrt(mean(x^2) + eps) * weight` for every row of width `weight.len()`.
pub fn rms_norm(x: Floats, weight: Floats, eps: f32) -> Numbers {
    match x {
        Floats::F32(x) => normed(x, &weight.wide(), eps).into(),
        Floats::Bf16(x) => normed(x, &weight.wide(), eps).into(),
    }
}

fn normed<E: Element>(x: &[E], weight: &[f32], eps: f32) -> Vec<E> {
    let width = weight.len();
    let [out] = parts([(x.len(), width * ROWS)], |i, [out]| {
        let x = &x[i * width * ROWS..];
        vectorized(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let r = inverse_rms(x, eps);
                    for ((out, x), &weight) in out.iter_mut().zip(x).zip(weight) {
                        *out = E::round(x.widen() * r * weight);
                    }
                }
            },
        );
    });
    out
}

/// Gradients of [`rms_norm`] by `x` and `weight`: with r = 1/rms and n = x r,
/// dx = r (g w - n mean(g w n)), dw = sum over rows of g n.
pub fn rms_norm_grad(x: Floats, weight: Floats, grad: &[f32], eps: f32) -> (Vec<f32>, Vec<f32>) {
    match x {
        Floats::F32(x) => normed_grad(x, &weight.wide(), grad, eps),
        Floats::Bf16(x) => normed_grad(x, &weight.wide(), grad, eps),
    }
}

fn normed_grad<E: Element>(x: &[E], weight: &[f32], grad: &[f32], eps: f32) -> (Vec<f32>, Vec<f32>) {
    let width = weight.len();
    let sizes = [(x.len(), width * ROWS), (x.len().div_ceil(width * ROWS) * width, width)];
    let [dx, sums] = parts(sizes, |i, [dx, dw]| {
        let (x, grad) = (&x[i * width * ROWS..], &grad[i * width * ROWS..]);
        vectorized(
            #[inline(always)]
            || grad_rows(dx, dw, x, weight, grad, eps),
        );
    });
    let mut dw = vec![0.0; width];
    for part in sums.chunks_exact(width) {
        for (d, p) in dw.iter_mut().zip(part) {
            *d += p;
        }
    }
    (dx, dw)
}

#[inline(always)]
fn grad_rows<E: Element>(dx: &mut [f32], dw: &mut [f32], x: &[E], weight: &[f32], grad: &[f32], eps: f32) {
    let width = weight.len();
    let mut gw = vec![0.0; width];
    let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width));
    for ((dx, x), g) in rows {
        let r = inverse_rms(x, eps);
        let sums = gw.iter_mut().zip(dw.iter_mut());
        for ((gw, dw), ((&g, x), &weight)) in sums.zip(g.iter().zip(x).zip(weight)) {
            *gw = g * weight;
            *dw += g * x.widen() * r;
        }
        let mean = sum2(&gw, x, |a, b| a * b) * r / width as f32;
        for ((dx, &gw), x) in dx.iter_mut().zip(&gw).zip(x) {
            *dx = r * (gw - x.widen() * r * mean);
        }
    }
}

#[inline(always)]
fn inverse_rms<E: Element>(x: &[E], eps: f32) -> f32 {
    1.0 / (sum2(x, x, |a, b| a * b) / x.len() as f32 + eps).sqrt()
}
