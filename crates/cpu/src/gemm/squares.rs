//! What one thread computes of a product by the squares of a [`Unit`]: both operands packed in pairs, whole squares
//! padded with zeros.

use std::ops::Range;

use half::bf16;

use super::super::amx::{PAIRS, SIDE, Square, Unit};
use super::super::element::Factor;
use super::super::math::vectorized;
use super::super::numbers::Floats;
use super::kernel::Tile;
use super::task::Task;
use super::{Factors, Mat, Out, Write, pack};

/// Most pairs that are added up at a time: the packed rows of a square then take half of a first cache of 48 KB.
pub(super) const DEPTH: usize = 192;

/// A square as the plan cuts a result into.
pub(super) const TILE: Tile = Tile { rows: SIDE, vectors: 2, lanes: SIDE / 2 };

/// The products of some pairs of inner indices. `rhs` has room for the task's packed columns, `lhs` for two panels of rows.
pub(super) fn add(task: &Task, unit: &Unit, inner: &Range<usize>, lhs: &mut [f32], rhs: &mut [f32]) {
    let (rows, cols) = (&task.rows, &task.cols);
    let panel = SIDE * inner.len().next_multiple_of(PAIRS);
    let rhs = &mut rhs[..cols.len().div_ceil(SIDE) * panel];
    for (col, rhs) in cols.clone().step_by(SIDE).zip(rhs.chunks_exact_mut(panel)) {
        by_pair(task.rhs, col..cols.end.min(col + SIDE), inner, rhs);
    }
    let (lhs, turned) = lhs[..2 * panel].split_at_mut(panel);
    let write = if inner.start > 0 { Write::Add } else { task.write };
    let mut square = Square::zeros();
    (unit.begin)();
    for row in rows.clone().step_by(SIDE) {
        let there = row..rows.end.min(row + SIDE);
        by_row(task.lhs, there.clone(), inner, lhs, turned);
        for (col, rhs) in cols.clone().step_by(SIDE).zip(rhs.chunks_exact(panel)) {
            (unit.square)(lhs, rhs, &mut square);
            // SAFETY: rows and columns that are there, of a part of the result that is this task's alone.
            unsafe {
                let out = task.out.at(row - rows.start, col - cols.start);
                put(&square, out, there.len(), SIDE.min(cols.end - col), write);
            }
        }
    }
    (unit.end)();
}

/// A panel of at most 32 lines: for each pair those of all lines, with zeros to whole tiles.
fn by_pair(of: Mat, lines: Range<usize>, inner: &Range<usize>, panel: &mut [f32]) {
    let (there, beyond) = panel.split_at_mut(SIDE * inner.len());
    pack::panels(Factors::Pairs, of, &lines, SIDE, inner, there);
    beyond.fill(0.0);
}

/// As [`by_pair`], for each line its pairs. `turned` is room for as many.
fn by_row(of: Mat, lines: Range<usize>, inner: &Range<usize>, panel: &mut [f32], turned: &mut [f32]) {
    let width = panel.len() / SIDE;
    let (Floats::Bf16(data), (stride, 1)) = (of.data, of.strides) else {
        by_pair(of, lines, inner, turned);
        return pack::along(turned, width, SIDE, width, panel);
    };
    panel.fill(0.0);
    for (line, out) in lines.zip(panel.chunks_exact_mut(width)) {
        let line = &data[line * stride..][..of.shape.1];
        let (pairs, last) = line[2 * inner.start..line.len().min(2 * inner.end)].as_chunks::<2>();
        let last = last.first().map(|&number| [number, bf16::ZERO]);
        for (out, pair) in out.iter_mut().zip(pairs.iter().copied().chain(last)) {
            *out = pair.lane();
        }
    }
}

/// Writes the first rows and columns of a square.
///
/// # Safety
/// These elements must be inside the result and no other task's.
unsafe fn put(square: &Square, out: Out, rows: usize, cols: usize, write: Write) {
    vectorized(
        #[inline(always)]
        || {
            for (i, sums) in square.0[..rows].iter().enumerate() {
                // SAFETY: as the caller promises.
                let row = unsafe { std::slice::from_raw_parts_mut(out.at(i, 0).data, cols) };
                for (out, sum) in row.iter_mut().zip(sums) {
                    *out = if write == Write::Add { *out + *sum } else { *sum };
                }
            }
        },
    );
}
