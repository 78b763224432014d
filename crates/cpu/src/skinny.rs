//! Products of a few rows with a whole weight, as decoding has them: every weight row is read once, and nothing of
//! it is packed. A row's result does not depend on the rows beside it.

use std::cell::Cell;

use pulp::bytemuck::cast_slice;
use pulp::{Simd, WithSimd};

use super::attention::Shared;
use super::broadcast::{Lines, for_all};
use super::element::{Floats, widen_into};
use super::isa::arch;
use super::team::for_each;

/// Rows up to which this beats a general matrix product.
pub const MAX_ROWS: usize = 64;

/// Weight rows a task takes.
const TASK: usize = 96;
/// Most vectors that the rows of a block fill.
const VECTORS: usize = 4;

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub fn project(x: &[f32], weight: Floats, width: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / width, weight.len() / width);
    let mut out = Vec::with_capacity(rows * outputs);
    let block = VECTORS * arch().dispatch(Lanes);
    for (i, x) in x.chunks(block * width).enumerate() {
        let first_row = i * block;
        // SAFETY: the first element of a row that is there.
        let out = unsafe { Shared(out.as_mut_ptr()).at(first_row * outputs) };
        project_block(x, weight, width, outputs, Shared(out));
    }
    // SAFETY: there is room for the result, all of which the blocks wrote.
    unsafe { out.set_len(rows * outputs) };
    out
}

/// As [`project`], of rows that fit the vectors of one block.
fn project_block(x: &[f32], weight: Floats, width: usize, outputs: usize, out: Shared) {
    let mut packed = COLUMNS.take();
    packed.fill(x, width);
    let task = |task: usize, weight: &[f32]| {
        let task = Task { x: &packed, weight, width, outputs, first: task * TASK, out };
        arch().dispatch(task);
    };
    for_each(outputs.div_ceil(TASK), |i| {
        let numbers = i * TASK * width..((i + 1) * TASK).min(outputs) * width;
        match weight {
            Floats::F32(w) => task(i, &w[numbers]),
            Floats::Bf16(w) => {
                let mut wide = WIDE.take();
                wide.resize(numbers.len(), 0.0);
                widen_into(&w[numbers], &mut wide);
                task(i, &wide);
                WIDE.set(wide);
            }
        }
    });
    COLUMNS.set(packed);
}

thread_local! {
    /// The columns of this thread's last product: memory that is there already.
    static COLUMNS: Cell<Columns> = const { Cell::new(Columns::new()) };
    /// What a thread widens a task's rows into: it stays in the nearest caches.
    static WIDE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Numbers of a vector on this machine.
pub(crate) struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Rows column by column, padded with zeros to whole vectors.
#[derive(Default)]
pub(crate) struct Columns {
    pub rows: usize,
    /// Vectors of a column.
    pub vectors: usize,
    pub data: Vec<f32>,
}

impl Columns {
    pub(crate) const fn new() -> Self {
        Self { rows: 0, vectors: 0, data: Vec::new() }
    }

    /// Takes other rows, in the memory that is there.
    pub(crate) fn fill(&mut self, x: &[f32], width: usize) {
        let lanes = arch().dispatch(Lanes);
        self.rows = x.len() / width;
        self.vectors = self.rows.div_ceil(lanes);
        let column = self.vectors * lanes;
        if self.rows < column {
            // What a resized vector has already is kept, and there should be zeros.
            self.data.clear();
        }
        self.data.resize(width * column, 0.0);
        let (fours, rest) = x.split_at(self.rows / 4 * 4 * width);
        for (i, four) in fours.chunks_exact(4 * width).enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row| &four[row * width..][..width]);
            let outs =
                self.data.chunks_exact_mut(column).filter_map(|out| out[4 * i..].first_chunk_mut::<4>());
            for ((((out, a), b), c), d) in outs.zip(a).zip(b).zip(c).zip(d) {
                *out = [*a, *b, *c, *d];
            }
        }
        for (i, row) in (self.rows / 4 * 4..).zip(rest.chunks_exact(width)) {
            for (out, x) in self.data[i..].iter_mut().step_by(column).zip(row) {
                *out = *x;
            }
        }
    }
}

/// The outputs of some weight rows, `first` and following, for every row of `x`.
struct Task<'a> {
    x: &'a Columns,
    weight: &'a [f32],
    width: usize,
    outputs: usize,
    first: usize,
    out: Shared,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.x.vectors {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            3 => self.run::<S, 3>(simd),
            _ => self.run::<S, VECTORS>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize>(self, simd: S) {
        let Self { x, weight, width, outputs, first, out } = self;
        let (columns, _) = S::as_simd_f32s(&x.data).0.as_chunks::<VECTORS>();
        let lines = Lines { data: weight, line: width };
        for_all(simd, lines, weight.len() / width, columns, |at, products| {
            let numbers: &[f32] = cast_slice(products.as_flattened());
            for row in 0..x.rows {
                let of_row = numbers[row..].iter().step_by(VECTORS * S::F32_LANES);
                for (i, number) in of_row.enumerate() {
                    // SAFETY: these outputs' columns belong to this task alone.
                    unsafe { out.at(row * outputs + first + at + i).write(*number) };
                }
            }
        });
    }
}
