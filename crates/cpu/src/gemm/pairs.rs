//! Operands of bf16 in the order in which the inner loops read them: two numbers of a line side by side.

use half::bf16;

use super::super::element::{Factor, Pair};
use super::super::math::vectorized;
use super::Mat;
use super::pack::along;

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

impl PairPanels<'_> {
    pub(super) fn pack(&self, panels: &mut [f32]) {
        let pairs = self.inner.1 - self.inner.0;
        for (i, panel) in panels.chunks_exact_mut(self.width * pairs).enumerate() {
            let first = self.first + i * self.width;
            let lines = self.width.min(self.end - first);
            if self.of.strides.1 == 1
                && self.of.strides.0.is_multiple_of(2)
                && self.of.shape.1.is_multiple_of(2)
            {
                let line = self.of.strides.0 / 2;
                let pairs: &[Pair] = &self.data.as_chunks().0[first * line + self.inner.0..];
                along(pairs, lines, (line, 1), self.width, panel);
                continue;
            }
            if lines < self.width {
                panel.fill(0.0);
            }
            vectorized(
                #[inline(always)]
                || self.across(first, lines, panel),
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
        if step == 1 {
            for i in 0..lines {
                let (pairs, last) = self.data[(first + i) * line..][..self.of.shape.1].as_chunks::<2>();
                let last = last.first().map(|&number| [number, bf16::ZERO]);
                let pairs = pairs.iter().copied().chain(last).skip(self.inner.0);
                for (out, pair) in panel[i..].iter_mut().step_by(self.width).zip(pairs) {
                    *out = pair.lane();
                }
            }
            return;
        }
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
}
