//! Operands of bf16 in the order in which the inner loops read them: two numbers of a line side by side.

use half::bf16;

use super::super::element::{Factor, Pair};
use super::super::math::vectorized;
use super::Mat;

/// As [`pack::panels`](super::pack::panels), of pairs: `inner` are the first and the last pair's end, and a pair beyond
/// the last number has a zero.
pub(super) struct PairPanels<'a> {
    pub data: &'a [bf16],
    pub of: Mat<'a>,
    pub first: usize,
    pub end: usize,
    pub width: usize,
    pub inner: (usize, usize),
}

/// Pairs of a line that are moved at a time where lines are contiguous.
const RUN: usize = 32;

impl PairPanels<'_> {
    pub(super) fn pack(&self, panels: &mut [f32]) {
        let pairs = self.inner.1 - self.inner.0;
        let by_line = self.of.strides.1 == 1;
        for (i, panel) in panels.chunks_exact_mut(self.width * pairs).enumerate() {
            let first = self.first + i * self.width;
            let lines = self.width.min(self.end - first);
            if lines < self.width {
                panel.fill(0.0);
            }
            vectorized(
                #[inline(always)]
                || if by_line { self.along(first, lines, panel) } else { self.across(first, lines, panel) },
            );
        }
    }

    /// Number `k` of a line, or a zero beyond the last.
    #[inline(always)]
    fn number(&self, line: usize, k: usize) -> bf16 {
        if k < self.of.shape.1 {
            self.data[line * self.of.strides.0 + k * self.of.strides.1]
        } else {
            bf16::ZERO
        }
    }

    /// Pair after pair: of lines that lie side by side, as far as there are two indices.
    #[inline(always)]
    fn across(&self, first: usize, lines: usize, panel: &mut [f32]) {
        let (line, step) = self.of.strides;
        for (pair, out) in (self.inner.0..).zip(panel.chunks_exact_mut(self.width)) {
            let start = first * line + 2 * pair * step;
            if line == 1 && 2 * pair + 1 < self.of.shape.1 {
                let (low, high) = (&self.data[start..][..lines], &self.data[start + step..][..lines]);
                for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
                    *out = [*low, *high].lane();
                }
            } else {
                for (i, out) in out[..lines].iter_mut().enumerate() {
                    *out = [0, 1].map(|more| self.number(first + i, 2 * pair + more)).lane();
                }
            }
        }
    }

    /// Some pairs at a time, of contiguous lines four by four.
    #[inline(always)]
    fn along(&self, first: usize, lines: usize, panel: &mut [f32]) {
        let whole = self.of.shape.1 / 2;
        for (run, panel) in panel.chunks_mut(RUN * self.width).enumerate() {
            let from = self.inner.0 + run * RUN;
            let pairs = (panel.len() / self.width).min(whole.saturating_sub(from));
            let line = |i: usize| -> &[Pair] {
                let start = (first + i) * self.of.strides.0 + 2 * from;
                self.data[start..][..2 * pairs].as_chunks().0
            };
            for i in (0..lines / 4 * 4).step_by(4) {
                let [a, b, c, d] = [0, 1, 2, 3].map(|more| line(i + more));
                let outs =
                    panel.chunks_exact_mut(self.width).filter_map(|row| row[i..].first_chunk_mut::<4>());
                for ((((out, a), b), c), d) in outs.zip(a).zip(b).zip(c).zip(d) {
                    *out = [a.lane(), b.lane(), c.lane(), d.lane()];
                }
            }
            for i in lines / 4 * 4..lines {
                for (out, pair) in panel[i..].iter_mut().step_by(self.width).zip(line(i)) {
                    *out = pair.lane();
                }
            }
            if let Some(last) = panel.chunks_exact_mut(self.width).nth(pairs) {
                for (i, out) in last[..lines].iter_mut().enumerate() {
                    *out = [self.number(first + i, 2 * (from + pairs)), bf16::ZERO].lane();
                }
            }
        }
    }
}
