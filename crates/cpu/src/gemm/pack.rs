//! Operands in the order in which the inner loops read them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::cache::{LINE, ask_for};
use super::super::element::{Element, Factor};
use super::super::isa::arch;
use super::super::math::vectorized;
use super::super::numbers::Floats;
use super::super::turn::{RUN, turned};
use super::pairs::PairPanels;
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
    let (first, end, inner) = (lines.start, lines.end, (inner.start, inner.end));
    match of.data {
        Floats::Bf16(data) if !matches!(factors, Factors::Singles) => {
            PairPanels { data, of, first, end, width, inner }.pack(panels);
        }
        Floats::F32(data) => Panels { data, of, first, end, width, inner }.pack(panels),
        Floats::Bf16(data) => Panels { data, of, first, end, width, inner }.pack(panels),
    }
}

/// How many numbers ahead those that lie side by side are asked for, and how many indices at most.
const AHEAD: usize = 2048;
const MOST_AHEAD: usize = 16;

struct Panels<'a, E> {
    data: &'a [E],
    of: Mat<'a>,
    first: usize,
    end: usize,
    width: usize,
    inner: (usize, usize),
}

impl<E: Element> Panels<'_, E> {
    fn pack(self, panels: &mut [f32]) {
        match self.width {
            _ if self.of.strides.0 != 1 => self.panel_by_panel(panels),
            4 => self.across::<4>(panels),
            6 => self.across::<6>(panels),
            8 => self.across::<8>(panels),
            12 => self.across::<12>(panels),
            16 => self.across::<16>(panels),
            24 => self.across::<24>(panels),
            32 => self.across::<32>(panels),
            48 => self.across::<48>(panels),
            64 => self.across::<64>(panels),
            _ => self.panel_by_panel(panels),
        }
    }

    fn panel_by_panel(self, panels: &mut [f32]) {
        let size = self.width * (self.inner.1 - self.inner.0);
        for (i, panel) in panels.chunks_exact_mut(size).enumerate() {
            let first = self.first + i * self.width;
            let lines = self.width.min(self.end - first);
            let start = first * self.of.strides.0 + self.inner.0 * self.of.strides.1;
            along(&self.data[start..], lines, self.of.strides, self.width, panel);
        }
    }

    fn across<const WIDTH: usize>(self, panels: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || self.index_by_index::<WIDTH>(panels),
        );
    }

    /// Where the lines of an index lie side by side: index after index, so that what is read is read in its order.
    #[inline(always)]
    fn index_by_index<const WIDTH: usize>(&self, panels: &mut [f32]) {
        let (from, to) = self.inner;
        let (panels, _) = panels.as_chunks_mut::<WIDTH>();
        let lines = self.end - self.first;
        let ahead = (AHEAD / lines).clamp(1, MOST_AHEAD) * self.of.strides.1;
        for k in from..to {
            let start = self.first + k * self.of.strides.1;
            for line in (0..lines).step_by(LINE) {
                ask_for(self.data.as_ptr(), start + ahead + line);
            }
            let of_index = &self.data[start..start + lines];
            let outs = panels[k - from..].iter_mut().step_by(to - from);
            let (whole, rest) = of_index.as_chunks::<WIDTH>();
            for (out, x) in outs.zip(whole) {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = x.widen();
                }
            }
            if let Some(out) = panels[k - from..].iter_mut().step_by(to - from).nth(whole.len()) {
                out.fill(0.0);
                for (out, x) in out.iter_mut().zip(rest) {
                    *out = x.widen();
                }
            }
        }
    }
}

/// One panel of `width`, of lines `strides.0` apart whose factors are `strides.1` apart: `lines` of them, then zeros.
pub(super) fn along<F: Factor>(
    data: &[F],
    lines: usize,
    strides: (usize, usize),
    width: usize,
    panel: &mut [f32],
) {
    if lines < width {
        panel.fill(0.0);
    }
    let whole = if strides.1 == 1 {
        arch().dispatch(Turned { data, lines, line: strides.0, width, panel })
    } else {
        0
    };
    for i in whole..lines {
        for (out, k) in panel[i..].iter_mut().step_by(width).zip(0..) {
            *out = data[i * strides.0 + k * strides.1].lane();
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
