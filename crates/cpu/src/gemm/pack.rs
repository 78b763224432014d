//! Operands in the order in which the inner loops read them.

use std::ops::Range;

use half::bf16;
use pulp::{Simd, WithSimd};

use super::super::element::{Factor, Pair};
use super::super::isa::arch;
use super::super::numbers::Floats;
use super::super::turn::{RUN, turned};
use super::across::{Pairs, Panels, Singles};
use super::{Factors, Mat};

/// Writes `lines` in panels of `width`: for each factor of `inner`, those of a panel's lines, with zeros where the last
/// panel has no more. A line is a row of `of`, and the inner index a column.
pub(super) fn panels(
    factors: Factors,
    of: Mat,
    lines: &Range<usize>,
    width: usize,
    inner: &Range<usize>,
    panels: &mut [f32],
) {
    let (as_pairs, (line, step)) = (!matches!(factors, Factors::Singles), of.strides);
    let mut to = Panels { lines: lines.clone(), width, inner: inner.clone(), panels };
    match of.data {
        Floats::F32(data) if step == 1 => to.along(data, line),
        Floats::F32(data) => to.across(&Singles { data, stride: step }),
        Floats::Bf16(data) if as_pairs && step != 1 => {
            to.across(&Pairs { data, stride: step, inner: of.shape.1 });
        }
        Floats::Bf16(data) if as_pairs && line.is_multiple_of(2) && of.shape.1.is_multiple_of(2) => {
            to.along::<Pair>(data.as_chunks().0, line / 2);
        }
        Floats::Bf16(data) if as_pairs => to.odd_lines(data, line, of.shape.1),
        Floats::Bf16(data) if step == 1 => to.along(data, line),
        Floats::Bf16(data) => to.across(&Singles { data, stride: step }),
    }
}

impl Panels<'_> {
    /// Lines `stride` factors apart, the factors of each side by side.
    fn along<F: Factor>(&mut self, data: &[F], stride: usize) {
        let inner = self.inner.start;
        self.each(|lines, width, panel| {
            along(&data[lines.start * stride + inner..], lines.len(), stride, width, panel)
        });
    }

    /// Pairs of lines `stride` numbers apart, of which or of the `len` of each there is an odd number.
    fn odd_lines(&mut self, data: &[bf16], stride: usize, len: usize) {
        let inner = self.inner.start;
        self.each(|lines, width, panel| {
            panel.fill(0.0);
            for (i, line) in lines.enumerate() {
                let (pairs, last) = data[line * stride..][..len].as_chunks::<2>();
                let last = last.first().map(|&number| [number, bf16::ZERO]);
                let pairs = pairs.iter().copied().chain(last).skip(inner);
                for (out, pair) in panel[i..].iter_mut().step_by(width).zip(pairs) {
                    *out = pair.lane();
                }
            }
        });
    }

    /// Does something with the lines of each panel, its width and itself.
    fn each(&mut self, mut fill: impl FnMut(Range<usize>, usize, &mut [f32])) {
        let size = self.width * self.inner.len();
        for (first, panel) in self.lines.clone().step_by(self.width).zip(self.panels.chunks_exact_mut(size)) {
            fill(first..self.lines.end.min(first + self.width), self.width, panel);
        }
    }
}

/// One panel of `width`: `lines` of them, `stride` factors apart, then zeros.
pub(super) fn along<F: Factor>(data: &[F], lines: usize, stride: usize, width: usize, panel: &mut [f32]) {
    if lines < width {
        panel.fill(0.0);
    }
    let whole = arch().dispatch(Turned { data, lines, line: stride, width, panel });
    for i in whole..lines {
        for (out, factor) in panel[i..].iter_mut().step_by(width).zip(&data[i * stride..]) {
            *out = factor.lane();
        }
    }
}

/// The lines of a panel that fill vectors, contiguous ones.
struct Turned<'a, F> {
    data: &'a [F],
    lines: usize,
    line: usize,
    width: usize,
    panel: &'a mut [f32],
}

impl<F: Factor> WithSimd for Turned<'_, F> {
    /// How many lines those are.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Self { data, lines, line, width, panel } = self;
        let lanes = S::F32_LANES;
        if !lanes.is_multiple_of(RUN) {
            return 0;
        }
        let inner = panel.len() / width;
        let whole = lines / lanes * lanes;
        for i in (0..whole).step_by(lanes) {
            let data = &data[i * line..];
            let mut rows = panel.chunks_exact_mut(width);
            for k in (0..inner / RUN * RUN).step_by(RUN) {
                for numbers in turned::<S, F>(simd, &data[k..], line) {
                    if let Some(row) = rows.next() {
                        S::as_mut_simd_f32s(&mut row[i..i + lanes]).0[0] = numbers;
                    }
                }
            }
            for (k, row) in (inner / RUN * RUN..).zip(rows) {
                for (j, out) in row[i..i + lanes].iter_mut().enumerate() {
                    *out = data[j * line + k].lane();
                }
            }
        }
        whole
    }
}
