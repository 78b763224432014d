//! Operands in the order in which the inner loops read them.

use std::ops::Range;

use super::super::element::{Element, Floats};
use super::super::math::vectorized;
use super::pairs::PairPanels;
use super::{Factors, Mat};

/// Numbers of a line that are moved at a time where lines are contiguous: enough that the machine reads ahead.
const RUN: usize = 64;

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
        Floats::Bf16(data) if factors == Factors::Pairs => {
            PairPanels { data, of, first, end, width, inner }.pack(panels);
        }
        Floats::F32(data) => Panels { data, of, first, end, width, inner }.pack(panels),
        Floats::Bf16(data) => Panels { data, of, first, end, width, inner }.pack(panels),
    }
}

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
            let one = Self { first: self.first + i * self.width, ..self };
            vectorized(
                #[inline(always)]
                || one.along(panel),
            );
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
        for k in from..to {
            let start = self.first + k * self.of.strides.1;
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

    /// One panel, some indices at a time: of lines that are contiguous four by four.
    #[inline(always)]
    fn along(&self, panel: &mut [f32]) {
        let (width, (from, to), (line, step)) = (self.width, self.inner, self.of.strides);
        let lines = width.min(self.end - self.first);
        if lines < width {
            panel.fill(0.0);
        }
        for (run, panel) in panel.chunks_mut(RUN * width).enumerate() {
            let k = from + run * RUN;
            let n = RUN.min(to - k);
            let start = |i: usize| (self.first + i) * line + k * step;
            let fours = if step == 1 { lines / 4 * 4 } else { 0 };
            for i in (0..fours).step_by(4) {
                let [a, b, c, d] = [0, 1, 2, 3].map(|more| &self.data[start(i + more)..][..n]);
                let outs = panel.chunks_exact_mut(width).filter_map(|row| row[i..].first_chunk_mut::<4>());
                for ((((out, a), b), c), d) in outs.zip(a).zip(b).zip(c).zip(d) {
                    *out = [a.widen(), b.widen(), c.widen(), d.widen()];
                }
            }
            for i in fours..lines {
                for j in 0..n {
                    panel[i + j * width] = self.data[start(i) + j * step].widen();
                }
            }
        }
    }
}
