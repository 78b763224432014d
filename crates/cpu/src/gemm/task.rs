//! What one thread computes of a product, block after block.

use std::cell::Cell;
use std::ops::Range;

use super::super::cache::{LINE, second_cache};
use super::super::element::{Factor, Pair};
use super::super::numbers::Floats;
use super::kernel::{Lhs, Tile, Tiles};
use super::{Factors, Mat, Out, Write, pack, squares};

/// Inner products are added up to the result after so many terms at most: a narrow panel then stays in the first
/// cache.
pub(super) const DEPTH: usize = 384;
/// The share of the second cache that a task's packed right operand takes, in hundredths.
const PACKED: usize = 80;
/// By how much one thread lags behind another, as a share of what it computes: cores are shared with other programs.
const UNEVEN: f64 = 0.1;
/// Tasks a thread, at most, unless the right operand needs more.
const ROUNDS: usize = 4;
/// Narrow panels that are packed at a time: 48 rows, so that whole cache lines are read where the rows lie side by
/// side.
const PANELS: usize = 8;

/// Packed numbers of the right operand that a task has at a time.
fn packed() -> usize {
    second_cache() / size_of::<f32>() * PACKED / 100
}

/// How a product is cut: into `right` blocks of columns, each packed by `down` tasks, which share the rows.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    m: usize,
    n: usize,
    tile: Tile,
    /// Terms that are added up at a time.
    depth: usize,
    right: usize,
    down: usize,
}

impl Plan {
    /// `packs_left`: whether the left operand is packed, once a block of columns.
    pub(super) fn new(
        (m, k, n): (usize, usize, usize),
        factors: Factors,
        packs_left: bool,
        threads: usize,
    ) -> Self {
        let (tile, (run, most)) = (factors.tile(n), factors.depths());
        let depth = k.div_ceil(k.div_ceil(most)).next_multiple_of(run);
        let fewest = n.div_ceil((packed() / depth).max(tile.cols()));
        let units = (m.div_ceil(tile.rows), n.div_ceil(tile.cols()));
        let cuts = (fewest..(fewest + ROUNDS * threads).min(units.1 + 1)).flat_map(|right| {
            (1..=ROUNDS).map(move |rounds| (right, (rounds * threads / right).clamp(1, units.0)))
        });
        // In multiply-adds of a vector: arithmetic of the rounds in which all threads compute the largest task, and
        // operands read or packed.
        let cost = |&(right, down): &(usize, usize)| {
            let largest = units.0.div_ceil(down) * tile.rows * units.1.div_ceil(right) * tile.cols();
            let rounds = (right * down).div_ceil(threads) as f64;
            let left = if packs_left { m * right } else { m * right / 2 };
            let moved = ((left + n * down) / threads) as f64;
            (largest as f64 / 32.0 * rounds + moved) * (1.0 + UNEVEN / rounds)
        };
        let cheapest = cuts.min_by(|a, b| cost(a).total_cmp(&cost(b)));
        let (right, down) = if threads == 1 { (fewest, 1) } else { cheapest.unwrap_or((fewest, 1)) };
        Self { m, n, tile, depth, right, down }
    }

    pub(super) fn tasks(&self) -> usize {
        self.right * self.down
    }

    /// Rows of the result that a task computes.
    pub(super) fn rows(&self, task: usize) -> Range<usize> {
        share(self.m, self.tile.rows, self.down, task % self.down)
    }

    /// As [`Plan::rows`], columns.
    pub(super) fn cols(&self, task: usize) -> Range<usize> {
        share(self.n, self.tile.cols(), self.right, task / self.down)
    }
}

/// Part `i` of `0..n` in `parts` whose borders are multiples of `unit`.
fn share(n: usize, unit: usize, parts: usize, i: usize) -> Range<usize> {
    let units = n.div_ceil(unit);
    let border = |i: usize| (units * i / parts * unit).min(n);
    border(i)..border(i + 1)
}

thread_local! {
    /// The packed operands of this thread's last task: memory that is there already, and in a cache.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A block of the result.
pub(super) struct Task<'a> {
    pub factors: Factors,
    pub lhs: Mat<'a>,
    /// The right operand, transposed.
    pub rhs: Mat<'a>,
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    pub plan: Plan,
    /// Where the block's first element goes.
    pub out: Out,
    pub write: Write,
}

impl Task<'_> {
    pub(super) fn run(self) {
        if self.rows.is_empty() || self.cols.is_empty() {
            return;
        }
        let (tile_rows, tile_cols) = (self.plan.tile.rows, self.plan.tile.cols());
        let rhs_len = self.cols.len().next_multiple_of(tile_cols) * self.plan.depth;
        let lhs_len = PANELS * tile_rows * self.plan.depth;
        let needed = rhs_len.next_multiple_of(LINE) + lhs_len + LINE;
        // Taken out, and not borrowed: a thread that waits may begin another task.
        let mut scratch = SCRATCH.take();
        if scratch.len() < needed {
            scratch = vec![0.0; needed];
        }
        let (rhs, lhs) = aligned(&mut scratch).split_at_mut(rhs_len.next_multiple_of(LINE));
        let k = self.factors.count(self.lhs.shape.1);
        for from in (0..k).step_by(self.plan.depth) {
            self.add(from..k.min(from + self.plan.depth), lhs, rhs);
        }
        SCRATCH.set(scratch);
    }

    /// The products of some inner indices, counted in factors.
    fn add(&self, inner: Range<usize>, lhs: &mut [f32], rhs: &mut [f32]) {
        if let Factors::Squares(unit) = self.factors {
            return squares::add(self, unit, &inner, lhs, rhs);
        }
        let (tile_rows, tile_cols) = (self.plan.tile.rows, self.plan.tile.cols());
        let rhs = &mut rhs[..self.cols.len().next_multiple_of(tile_cols) * inner.len()];
        pack::panels(self.factors, self.rhs, &self.cols, tile_cols, &inner, rhs);
        let mut first = self.rows.start;
        match (self.lhs.data, self.lhs.strides) {
            _ if self.factors.lie_in_rows_of(self.lhs) => return self.rows_where_they_lie(rhs, &inner),
            // Columns that are read for one panel alone are not worth packing, unless they lie so far apart that they share
            // half of the nearest cache's sets, or fewer.
            (Floats::F32(data), (1, stride))
                if self.cols.len() <= tile_cols && !stride.is_multiple_of(2 * LINE) =>
            {
                let whole = first..first + self.rows.len() / tile_rows * tile_rows;
                let lhs = Lhs::Columns(&data[first + inner.start * stride..], stride);
                first = whole.end;
                self.tiles::<f32>(whole, lhs, rhs, &inner);
            }
            _ => {}
        }
        for from in (first..self.rows.end).step_by(PANELS * tile_rows) {
            let rows = from..self.rows.end.min(from + PANELS * tile_rows);
            let lhs = &mut lhs[..rows.len().next_multiple_of(tile_rows) * inner.len()];
            pack::panels(self.factors, self.lhs, &rows, tile_rows, &inner, lhs);
            match self.factors {
                Factors::Singles => self.tiles::<f32>(rows, Lhs::Packed(lhs), rhs, &inner),
                _ => self.tiles::<Pair>(rows, Lhs::Packed(lhs), rhs, &inner),
            }
        }
    }

    /// The products of all rows, which are not packed.
    fn rows_where_they_lie(&self, rhs: &[f32], inner: &Range<usize>) {
        let (rows, stride) = (self.rows.clone(), self.lhs.strides.0);
        match self.lhs.data {
            Floats::F32(data) => {
                let lhs = Lhs::Rows(&data[rows.start * stride + inner.start..], stride);
                self.tiles::<f32>(rows, lhs, rhs, inner);
            }
            Floats::Bf16(data) => {
                let pairs = &data.as_chunks().0[(rows.start * stride / 2) + inner.start..];
                self.tiles::<Pair>(rows, Lhs::Rows(pairs, stride / 2), rhs, inner);
            }
        }
    }

    /// The products of some rows.
    fn tiles<F: Factor>(&self, rows: Range<usize>, lhs: Lhs<F>, rhs: &[f32], inner: &Range<usize>) {
        let tiles = Tiles {
            lhs,
            tile: self.plan.tile,
            rhs,
            inner: inner.len(),
            // SAFETY: the first element of rows that are there.
            out: unsafe { self.out.at(rows.start - self.rows.start, 0) },
            rows: rows.len(),
            cols: self.cols.len(),
            write: if inner.start > 0 { Write::Add } else { self.write },
        };
        tiles.compute();
    }
}

/// The slice from its first cache line's boundary on.
fn aligned(scratch: &mut [f32]) -> &mut [f32] {
    let skipped = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
    &mut scratch[skipped..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_the_result_once() {
        for (m, n, k, threads) in [(1, 1, 1, 2), (9, 5000, 700, 3), (1140, 576, 1536, 2), (64, 64, 9, 16)] {
            let plan = Plan::new((m, k, n), Factors::Singles, threads == 3, threads);
            let mut seen = vec![0; m * n];
            for task in 0..plan.tasks() {
                for row in plan.rows(task) {
                    plan.cols(task).for_each(|col| seen[row * n + col] += 1);
                }
                let packed = plan.cols(task).len() * plan.depth;
                assert!(
                    packed <= super::packed() + plan.tile.cols() * plan.depth,
                    "{m} {n} {k}: {packed} numbers"
                );
            }
            assert!(seen.iter().all(|&times| times == 1), "{m} {n} {k}");
            assert!(plan.depth <= DEPTH);
        }
    }
}
