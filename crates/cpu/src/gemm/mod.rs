//! Matrix products: operands packed into panels, tiles of the result held in registers (Goto and van de Geijn,
//! "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008).
//!
//! Of the two panels that make a tile the narrow one, whose numbers are broadcast, stays in the first cache, and
//! the wide ones stream from the second: a tile of 6 rows and 4 vectors asks for 4 vectors a 24 multiply-adds.
//! Memory is slow beside that, so each task packs what its second cache holds, and no packed number leaves it.
//! Each element is summed in one order whatever the number of threads.

mod across;
mod kernel;
mod pack;
mod products;
mod squares;
mod task;

use super::amx::{self, Unit};
use super::isa::{Isa, arch};
use super::numbers::Floats;
use super::team::for_each;
use kernel::{Tile, TileFor};
use task::{Plan, Task};

pub use products::{add_project_grad_weight, project, project_grad_weight, project_grad_x};

/// A read-only matrix: element (i, j) is `data[i * strides.0 + j * strides.1]`.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: Floats<'a>,
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<'a> Mat<'a> {
    /// A row-major matrix of `rows` by `cols` whose rows are `stride` apart.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        Self::stored(Floats::F32(data), rows, cols, stride)
    }

    /// As [`Mat::new`], of numbers as they are stored.
    pub fn stored(data: Floats<'a>, rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows == 0 || cols == 0 || (rows - 1) * stride + cols <= data.len());
        Self { data, shape: (rows, cols), strides: (stride, 1) }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        let (shape, strides) = (self.shape, self.strides);
        Self { shape: (shape.1, shape.0), strides: (strides.1, strides.0), ..self }
    }
}

/// Whether products of numbers that are stored so are those of bf16 numbers, two at a time.
pub(crate) fn multiplies_pairs(lhs: Floats, rhs: Floats) -> bool {
    let both = matches!((lhs, rhs), (Floats::Bf16(_), Floats::Bf16(_)));
    both && Isa::current().multiplies_bf16()
}

/// What the inner loops multiply.
#[derive(Clone, Copy)]
enum Factors {
    /// Numbers of f32, those of bf16 widened.
    Singles,
    /// Numbers of bf16, two at a time: [`Pair`](super::element::Pair)s.
    Pairs,
    /// As those, in squares of the result by a unit for it.
    Squares(&'static Unit),
}

impl Factors {
    fn of(lhs: Mat, rhs: Mat) -> Self {
        match Isa::current() {
            _ if !multiplies_pairs(lhs.data, rhs.data) => Self::Singles,
            Isa::AmxBf16 => amx::unit().map_or(Self::Pairs, Self::Squares),
            _ => Self::Pairs,
        }
    }

    /// How many of them an inner size has.
    fn count(self, inner: usize) -> usize {
        match self {
            Self::Singles => inner,
            Self::Pairs | Self::Squares(_) => inner.div_ceil(2),
        }
    }

    /// The tiles that a result of so many columns is cut into.
    fn tile(self, cols: usize) -> Tile {
        match self {
            Self::Singles | Self::Pairs => arch().dispatch(TileFor(cols)),
            Self::Squares(_) => squares::TILE,
        }
    }

    /// How many of them are added up at a time: whole runs of the first number, and the second at most.
    fn depths(self) -> (usize, usize) {
        match self {
            Self::Singles | Self::Pairs => (1, task::DEPTH),
            Self::Squares(_) => (amx::PAIRS, squares::DEPTH),
        }
    }

    /// Whether a left operand's rows can be read where they lie.
    fn lie_in_rows_of(self, lhs: Mat) -> bool {
        let (whole, contiguous) =
            (lhs.shape.1.is_multiple_of(2) && lhs.strides.0.is_multiple_of(2), lhs.strides.1 == 1);
        match self {
            Self::Singles => matches!(lhs.data, Floats::F32(_)) && contiguous,
            Self::Pairs => whole && contiguous,
            Self::Squares(_) => false,
        }
    }
}

/// Whether a product may use every core or is itself one task of many.
#[derive(Clone, Copy, PartialEq)]
pub enum Threads {
    /// It is a task.
    One,
    /// It may use all.
    All,
}

/// What becomes of what stands where a result goes.
#[derive(Clone, Copy, PartialEq)]
pub enum Write {
    /// The result takes its place.
    Set,
    /// The result is added to it.
    Add,
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

/// `out = lhs * rhs`, or `out += lhs * rhs`. The rows of `out` are `stride` apart.
///
/// # Panics
/// When the shapes do not fit each other or the output.
pub fn gemm(out: &mut [f32], stride: usize, write: Write, lhs: Mat, rhs: Mat, threads: Threads) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    assert_eq!(k, rhs.shape.0, "gemm: inner sizes differ");
    assert!(m == 0 || n == 0 || (m - 1) * stride + n <= out.len(), "gemm: the output is too small");
    // SAFETY: the assertion above bounds the writes.
    unsafe { gemm_raw(out.as_mut_ptr(), stride, write, lhs, rhs, threads) }
}

/// As [`gemm()`], to a pointer: for tasks that write disjoint columns of one matrix.
///
/// # Safety
/// `out` must be valid for the strided m by n matrix, which no other thread touches meanwhile.
pub unsafe fn gemm_raw(out: *mut f32, stride: usize, write: Write, lhs: Mat, rhs: Mat, threads: Threads) {
    let out = Out { data: out, stride };
    // SAFETY: as the caller promises.
    unsafe { multiply(Factors::of(lhs, rhs), out, write, lhs, rhs, threads) }
}

/// As [`gemm_raw`], by the factors that are given.
///
/// # Safety
/// As there.
unsafe fn multiply(factors: Factors, out: Out, write: Write, lhs: Mat, rhs: Mat, threads: Threads) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        for row in (0..m).filter(|_| write == Write::Set) {
            // SAFETY: as the caller promises.
            unsafe { std::slice::from_raw_parts_mut(out.at(row, 0).data, n) }.fill(0.0);
        }
        return;
    }
    let threads = match threads {
        Threads::All if m * n * k >= PARALLEL_FROM => rayon::current_num_threads(),
        _ => 1,
    };
    let plan = Plan::new((m, factors.count(k), n), factors, !factors.lie_in_rows_of(lhs), threads);
    let one = |task: usize| {
        let (rows, cols) = (plan.rows(task), plan.cols(task));
        // SAFETY: a part of the result, and of no other task's.
        let out = unsafe { out.at(rows.start, cols.start) };
        Task { factors, lhs, rhs: rhs.t(), rows, cols, plan, out, write }.run();
    };
    match threads {
        1 => (0..plan.tasks()).for_each(one),
        _ => for_each(plan.tasks(), one),
    }
}

#[cfg(test)]
mod amx_tests;
#[cfg(test)]
mod tests;
