//! Operands in the order in which the inner loops read them.

use super::super::element::{Element, Floats};
use super::super::math::vectorized;
use super::Mat;

/// Numbers of a line that are moved at a time where lines are contiguous: one cache line.
const RUN: usize = 16;

/// Writes a panel: for each inner index of `inner`, the elements of `width` lines from `first` on, with zeros for
/// lines past the last. A line is a row of `of`, and the inner index a column.
pub(super) fn panel(of: Mat, first: usize, width: usize, inner: (usize, usize), panel: &mut [f32]) {
    match of.data {
        Floats::F32(data) => vectorized(
            #[inline(always)]
            || pack(data, of, first, width, inner, panel),
        ),
        Floats::Bf16(data) => vectorized(
            #[inline(always)]
            || pack(data, of, first, width, inner, panel),
        ),
    }
}

#[inline(always)]
fn pack<E: Element>(
    data: &[E],
    of: Mat,
    first: usize,
    width: usize,
    inner: (usize, usize),
    panel: &mut [f32],
) {
    let lines = width.min(of.shape.0 - first);
    let (line, step) = of.strides;
    let (from, to) = inner;
    if lines < width {
        panel.fill(0.0);
    }
    if line == 1 {
        for (k, panel) in (from..to).zip(panel.chunks_exact_mut(width)) {
            let start = first + k * step;
            for (out, x) in panel[..lines].iter_mut().zip(&data[start..start + lines]) {
                *out = x.widen();
            }
        }
        return;
    }
    for (run, panel) in panel.chunks_mut(RUN * width).enumerate() {
        let k = from + run * RUN;
        let n = RUN.min(to - k);
        for i in 0..lines {
            let start = (first + i) * line + k * step;
            if step == 1 {
                let outs = panel[i..].iter_mut().step_by(width);
                for (out, x) in outs.zip(&data[start..start + n]) {
                    *out = x.widen();
                }
            } else {
                for j in 0..n {
                    panel[i + j * width] = data[start + j * step].widen();
                }
            }
        }
    }
}
