//! Packing of operands whose lines lie side by side: index after index, so that what is read is read in its order.

use std::ops::Range;

use half::bf16;

use super::super::cache::ask_for;
use super::super::element::{Element, Factor};
use super::super::math::vectorized;

/// Most lines whose factors are made at a time: whole panels of every width up to 64, where that is a power of two or
/// three times one.
const BLOCK: usize = 384;
/// How many numbers ahead are asked for, and how many indices at most.
const AHEAD: usize = 2048;
const MOST_AHEAD: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Panels of `width` lines: for each inner index those of a panel, with zeros where the last has no more.
pub(super) struct Panels<'a> {
    pub lines: Range<usize>,
    pub width: usize,
    /// Factors, counted as they are multiplied.
    pub inner: Range<usize>,
    pub panels: &'a mut [f32],
}

impl Panels<'_> {
    /// Of lines that lie side by side.
    pub(super) fn across(self, of: &impl SideBySide) {
        vectorized(
            #[inline(always)]
            // Widths that are known when this is compiled are copied without a loop.
            || match self.width {
                4 => self.index_by_index(of, 4),
                6 => self.index_by_index(of, 6),
                8 => self.index_by_index(of, 8),
                12 => self.index_by_index(of, 12),
                16 => self.index_by_index(of, 16),
                24 => self.index_by_index(of, 24),
                32 => self.index_by_index(of, 32),
                48 => self.index_by_index(of, 48),
                64 => self.index_by_index(of, 64),
                width => self.index_by_index(of, width),
            },
        );
    }

    #[inline(always)]
    fn index_by_index(self, of: &impl SideBySide, width: usize) {
        let (size, block) = (width * self.inner.len(), BLOCK / width * width);
        let ahead = (AHEAD / self.lines.len().max(1)).clamp(1, MOST_AHEAD);
        let mut space = [0.0; BLOCK];
        for (i, k) in self.inner.enumerate() {
            of.ask_for(k + ahead, &self.lines);
            let mut panels = self.panels[i * width..].chunks_mut(size);
            for first in self.lines.clone().step_by(block) {
                let lines = first..self.lines.end.min(first + block);
                let mut whole = of.factors(k, lines, &mut space).chunks_exact(width);
                for (lanes, panel) in whole.by_ref().zip(panels.by_ref()) {
                    panel[..width].copy_from_slice(lanes);
                }
                let rest = whole.remainder();
                if !rest.is_empty()
                    && let Some(panel) = panels.next()
                {
                    let (lanes, beyond) = panel[..width].split_at_mut(rest.len());
                    lanes.copy_from_slice(rest);
                    beyond.fill(0.0);
                }
            }
        }
    }
}

/// Lines that lie side by side, as factors of the inner loops.
pub(super) trait SideBySide {
    /// Factor `k` of some lines, at most [`BLOCK`]: in `space` unless they lie so.
    fn factors<'a>(&'a self, k: usize, lines: Range<usize>, space: &'a mut [f32; BLOCK]) -> &'a [f32];

    /// Asks for factor `k` of some lines, which need not be there.
    fn ask_for(&self, k: usize, lines: &Range<usize>);
}

/// Numbers `stride` apart from one index to the next.
pub(super) struct Singles<'a, E> {
    pub data: &'a [E],
    pub stride: usize,
}

impl<E: Element> SideBySide for Singles<'_, E> {
    #[inline(always)]
    fn factors<'a>(&'a self, k: usize, lines: Range<usize>, space: &'a mut [f32; BLOCK]) -> &'a [f32] {
        E::wide(&self.data[k * self.stride..][lines], space)
    }

    #[inline(always)]
    fn ask_for(&self, k: usize, lines: &Range<usize>) {
        for line in lines.clone().step_by(LINE / size_of::<E>()) {
            ask_for(self.data.as_ptr(), k * self.stride + line);
        }
    }
}

/// Two numbers of a line at a time, those of an index `stride` apart from those of the next: `inner` indices in all, and
/// zeros beyond the last.
pub(super) struct Pairs<'a> {
    pub data: &'a [bf16],
    pub stride: usize,
    pub inner: usize,
}

impl SideBySide for Pairs<'_> {
    #[inline(always)]
    fn factors<'a>(&'a self, k: usize, lines: Range<usize>, space: &'a mut [f32; BLOCK]) -> &'a [f32] {
        let pairs = &mut space[..lines.len()];
        let low = &self.data[2 * k * self.stride..][lines.clone()];
        if 2 * k + 1 < self.inner {
            let high = &self.data[(2 * k + 1) * self.stride..][lines];
            for ((pair, low), high) in pairs.iter_mut().zip(low).zip(high) {
                *pair = [*low, *high].lane();
            }
        } else {
            for (pair, low) in pairs.iter_mut().zip(low) {
                *pair = [*low, bf16::ZERO].lane();
            }
        }
        pairs
    }

    #[inline(always)]
    fn ask_for(&self, k: usize, lines: &Range<usize>) {
        for line in lines.clone().step_by(LINE / size_of::<bf16>()) {
            ask_for(self.data.as_ptr(), 2 * k * self.stride + line);
            ask_for(self.data.as_ptr(), (2 * k + 1) * self.stride + line);
        }
    }
}
