//! Matrix products: operands packed into panels, tiles of the result held in registers (Goto and van de Geijn,
//! "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008).
//!
//! Of the two panels that make a tile the narrow one, whose numbers are broadcast, stays in the first cache, and
//! the wide ones stream from the second: a tile of 8 rows and 3 vectors asks for 3 vectors a 24 multiply-adds.
//! Each element is summed in one order whatever the number of threads.

mod kernel;
mod pack;
mod products;

use std::cell::Cell;

use pulp::Arch;
use rayon::prelude::*;

use super::element::Floats;
use kernel::{TileSize, Tiles};

pub(crate) use products::{project, project_grad_weight, project_grad_x};

/// A read-only matrix: element (i, j) is `data[i * strides.0 + j * strides.1]`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: Floats<'a>,
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<'a> Mat<'a> {
    /// A row-major matrix of `rows` by `cols` whose rows are `stride` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        Self::stored(Floats::F32(data), rows, cols, stride)
    }

    /// As [`Mat::new`], of numbers as they are stored.
    pub(crate) fn stored(data: Floats<'a>, rows: usize, cols: usize, stride: usize) -> Self {
        debug_assert!(rows == 0 || cols == 0 || (rows - 1) * stride + cols <= data.len());
        Self { data, shape: (rows, cols), strides: (stride, 1) }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        let (shape, strides) = (self.shape, self.strides);
        Self { shape: (shape.1, shape.0), strides: (strides.1, strides.0), ..self }
    }
}

/// Whether a product may use every core or is itself one task of many.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Threads {
    One,
    All,
}

/// Where a result goes: rows `stride` apart.
#[derive(Clone, Copy)]
struct Out {
    data: *mut f32,
    stride: usize,
}

// SAFETY: every task writes elements that no other task touches.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

impl Out {
    /// The part that begins at an element.
    ///
    /// # Safety
    /// The element must be inside the result.
    unsafe fn at(self, row: usize, col: usize) -> Self {
        // SAFETY: as the caller promises.
        Self { data: unsafe { self.data.add(row * self.stride + col) }, ..self }
    }
}

/// Multiply-adds below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 20;
/// Lines and inner indices that are packed at a time, so that the packed operands take at most 64 MiB.
const LINES: usize = 4096;
const INNER: usize = 2048;
/// Panels of the right operand that a task reads again and again: with those of [`kernel`]'s depth they fill a
/// part of the second cache.
const PANELS: usize = 16;
/// Tasks a thread, so that threads end together.
const TASKS: usize = 4;

/// `out = lhs * rhs`, or `out += lhs * rhs` with `accumulate`. The rows of `out` are `stride` apart.
///
/// # Panics
/// When the shapes do not fit each other or the output.
pub(crate) fn gemm(out: &mut [f32], stride: usize, accumulate: bool, lhs: Mat, rhs: Mat, threads: Threads) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    assert_eq!(k, rhs.shape.0, "gemm: inner sizes differ");
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * stride + n <= out.len(), "gemm: the output is too small");
    // SAFETY: the assertion above bounds the writes.
    unsafe { gemm_raw(out.as_mut_ptr(), stride, accumulate, lhs, rhs, threads) }
}

/// As [`gemm()`], to a pointer: for tasks that write disjoint columns of one matrix.
///
/// # Safety
/// `out` must be valid for the strided m by n matrix, which no other thread touches meanwhile.
pub(crate) unsafe fn gemm_raw(
    out: *mut f32,
    stride: usize,
    accumulate: bool,
    lhs: Mat,
    rhs: Mat,
    threads: Threads,
) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    let out = Out { data: out, stride };
    if k == 0 && !accumulate {
        for row in 0..m {
            // SAFETY: as the caller promises.
            unsafe { std::slice::from_raw_parts_mut(out.at(row, 0).data, n) }.fill(0.0);
        }
    }
    let threads = if m * n * k < PARALLEL_FROM { Threads::One } else { threads };
    let rhs = rhs.t();
    for inner in blocks(k, INNER) {
        for cols in blocks(n, LINES) {
            for rows in blocks(m, LINES) {
                let accumulate = accumulate || inner.0 > 0;
                // SAFETY: a part of the result.
                let out = unsafe { out.at(rows.0, cols.0) };
                Part { lhs, rhs, rows, cols, inner, out, accumulate, threads }.run();
            }
        }
    }
}

/// Ranges of at most `size` that together are `0..n`.
fn blocks(n: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(size).map(move |from| (from, n.min(from + size)))
}

/// A part of a product whose packed operands are held at once.
struct Part<'a> {
    /// Rows of the left operand; of the right one, transposed, its columns.
    lhs: Mat<'a>,
    rhs: Mat<'a>,
    rows: (usize, usize),
    cols: (usize, usize),
    inner: (usize, usize),
    /// Where the part's first element goes.
    out: Out,
    accumulate: bool,
    threads: Threads,
}

thread_local! {
    /// Packed operands of the last product of this thread: memory that is there already.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Numbers of a cache line.
const LINE: usize = 16;

impl Part<'_> {
    fn run(&self) {
        let (tile_rows, tile_cols) = Arch::new().dispatch(TileSize);
        let inner = self.inner.1 - self.inner.0;
        let (rows, cols) = (self.rows.1 - self.rows.0, self.cols.1 - self.cols.0);
        let lhs_len = rows.div_ceil(tile_rows) * tile_rows * inner;
        let rhs_len = cols.div_ceil(tile_cols) * tile_cols * inner;

        // Taken out, and not borrowed: a thread that waits may begin another product.
        let mut scratch = SCRATCH.take();
        let needed = lhs_len + rhs_len + 2 * LINE;
        if scratch.len() < needed {
            scratch = vec![0.0; needed];
        }
        let (lhs, rest) = aligned(&mut scratch).split_at_mut(lhs_len.next_multiple_of(LINE));
        let (lhs, rhs) = (&mut lhs[..lhs_len], &mut rest[..rhs_len]);
        self.pack(self.lhs, self.rows, tile_rows, lhs);
        self.pack(self.rhs, self.cols, tile_cols, rhs);
        self.multiply(lhs, rhs, (tile_rows, tile_cols));
        SCRATCH.set(scratch);
    }

    /// All panels of an operand's lines.
    fn pack(&self, of: Mat, lines: (usize, usize), width: usize, packed: &mut [f32]) {
        let of = Mat { shape: (lines.1, of.shape.1), ..of };
        let size = width * (self.inner.1 - self.inner.0);
        let one =
            |(i, panel): (usize, &mut [f32])| pack::panel(of, lines.0 + i * width, width, self.inner, panel);
        match self.threads {
            Threads::One => packed.chunks_exact_mut(size).enumerate().for_each(one),
            Threads::All => packed.par_chunks_exact_mut(size).enumerate().with_min_len(4).for_each(one),
        }
    }

    /// All tiles, in tasks of some panels of each operand.
    fn multiply(&self, lhs: &[f32], rhs: &[f32], tile: (usize, usize)) {
        let inner = self.inner.1 - self.inner.0;
        let (rows, cols) = (self.rows.1 - self.rows.0, self.cols.1 - self.cols.0);
        let across = PANELS.min(rhs.len() / (inner * tile.1));
        let right = (rhs.len() / (inner * tile.1)).div_ceil(across);
        let tasks = match self.threads {
            Threads::One => 1,
            Threads::All => rayon::current_num_threads() * TASKS,
        };
        let down = (lhs.len() / (inner * tile.0)).div_ceil(tasks.div_ceil(right));
        let below = (lhs.len() / (inner * tile.0)).div_ceil(down);
        let one = |task: usize| {
            let (i, j) = (task % below * down, task / below * across);
            let panels = |of: &[f32], from: usize, n: usize, width: usize| {
                (from * inner * width).min(of.len())..((from + n) * inner * width).min(of.len())
            };
            let (row, col) = (i * tile.0, j * tile.1);
            let tiles = Tiles {
                lhs: &lhs[panels(lhs, i, down, tile.0)],
                rhs: &rhs[panels(rhs, j, across, tile.1)],
                inner,
                // SAFETY: the first element of a tile that is there.
                out: unsafe { self.out.at(row, col) },
                rows: rows - row,
                cols: cols - col,
                accumulate: self.accumulate,
            };
            Arch::new().dispatch(tiles);
        };
        match self.threads {
            Threads::One => (0..below * right).for_each(one),
            Threads::All => (0..below * right).into_par_iter().with_max_len(1).for_each(one),
        }
    }
}

/// The slice from its first cache line's boundary on.
fn aligned(scratch: &mut [f32]) -> &mut [f32] {
    let skipped = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
    &mut scratch[skipped..]
}

#[cfg(test)]
mod tests;
