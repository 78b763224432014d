//! Products of a few rows with a whole weight, as decoding has them: every weight row is read once, and nothing of
//! it is packed. A row's result does not depend on the rows beside it.

use std::cell::Cell;
use std::ops::Range;

use pulp::bytemuck::cast_slice;
use pulp::{Simd, WithSimd};

use super::attention::Shared;
use super::broadcast::{Lines, for_all};
use super::element::{Factor, Pair, widen_into};
use super::few;
use super::isa::{Isa, arch};
use super::numbers::Floats;
use super::team::for_each;

/// Rows up to which this beats a general matrix product.
pub const MAX_ROWS: usize = 64;

/// Weight rows a task takes.
const TASK: usize = 96;
/// Multiply-adds below which other threads cost more than they bring.
const PARALLEL_FROM: usize = 1 << 17;
/// Most vectors that the rows of a block fill.
const VECTORS: usize = 4;

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub fn project(x: Floats, weight: Floats, width: usize) -> Vec<f32> {
    let outputs = weight.len() / width;
    match (x, weight) {
        (Floats::Bf16(x), Floats::Bf16(w)) if Isa::current().multiplies_bf16() && width.is_multiple_of(2) => {
            let (x, w): (&[Pair], &[Pair]) = (x.as_chunks().0, w.as_chunks().0);
            products(x, width / 2, outputs, |task| task.of(&w[task.numbers()]))
        }
        (x, Floats::F32(w)) => products(&x.wide(), width, outputs, |task| task.of(&w[task.numbers()])),
        (x, Floats::Bf16(w)) => products(&x.wide(), width, outputs, |task| {
            let mut wide = WIDE.take();
            wide.resize(task.numbers().len(), 0.0);
            widen_into(&w[task.numbers()], &mut wide);
            task.of(&wide);
            WIDE.set(wide);
        }),
    }
}

/// The products of rows of `x`, each `width` factors, by tasks that know where the weight's rows are.
fn products<F: Factor>(x: &[F], width: usize, outputs: usize, run: impl Fn(&Task<F>) + Sync) -> Vec<f32> {
    let rows = x.len() / width;
    let mut out = Vec::with_capacity(rows * outputs);
    let block = VECTORS * arch().dispatch(Lanes);
    let mut columns = COLUMNS.take();
    for (i, x) in x.chunks(block * width).enumerate() {
        columns.fill(x, width);
        // SAFETY: the first element of a row that is there.
        let out = Shared(unsafe { Shared(out.as_mut_ptr()).at(i * block * outputs) });
        let of_task = |task: usize| {
            let (first, end) = (task * TASK, ((task + 1) * TASK).min(outputs));
            run(&Task { x, columns: &columns, width, outputs, first, end, out });
        };
        match outputs.div_ceil(TASK) {
            tasks if x.len() * outputs < PARALLEL_FROM => (0..tasks).for_each(of_task),
            tasks => for_each(tasks, of_task),
        }
    }
    COLUMNS.set(columns);
    // SAFETY: there is room for the result, all of which the blocks wrote.
    unsafe { out.set_len(rows * outputs) };
    out
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
    pub(crate) fn fill<F: Factor>(&mut self, x: &[F], width: usize) {
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
                *out = [a.lane(), b.lane(), c.lane(), d.lane()];
            }
        }
        for (i, row) in (self.rows / 4 * 4..).zip(rest.chunks_exact(width)) {
            for (out, x) in self.data[i..].iter_mut().step_by(column).zip(row) {
                *out = x.lane();
            }
        }
    }
}

/// The outputs of some weight rows for every row of a block.
struct Task<'a, F> {
    /// The block's rows.
    x: &'a [F],
    columns: &'a Columns,
    /// Factors of a row.
    width: usize,
    /// Outputs of a row, and those of this task.
    outputs: usize,
    first: usize,
    end: usize,
    out: Shared,
}

impl<F: Factor> Task<'_, F> {
    /// Where its weight rows' factors lie in the weight.
    fn numbers(&self) -> Range<usize> {
        self.first * self.width..self.end * self.width
    }

    /// Computes them, given those weight rows.
    fn of(&self, weight: &[F]) {
        F::dispatch(Weighted { task: self, weight });
    }

    /// Writes output `at`, counted from the first of this task, of a row.
    ///
    /// # Safety
    /// The output must be one of this task's.
    #[inline(always)]
    unsafe fn put(&self, row: usize, at: usize, number: f32) {
        // SAFETY: as the caller promises.
        unsafe { self.out.at(row * self.outputs + self.first + at).write(number) };
    }
}

struct Weighted<'a, F> {
    task: &'a Task<'a, F>,
    weight: &'a [F],
}

impl<F: Factor> WithSimd for Weighted<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.task.columns.rows, self.task.columns.vectors) {
            (1, 1) => self.of_few::<S, 1, 1>(simd),
            (2, 1) => self.of_few::<S, 2, 1>(simd),
            (3, 1) => self.of_few::<S, 3, 1>(simd),
            (4, 1) => self.of_few::<S, 4, 1>(simd),
            (5, 1) if S::F32_LANES > 8 => self.of_few::<S, 5, 1>(simd),
            (6, 1) if S::F32_LANES > 8 => self.of_few::<S, 6, 1>(simd),
            // NEON's vectors have 4 lanes, and there are 32 of them.
            (5, 2) => self.of_few::<S, 5, 2>(simd),
            (6, 2) => self.of_few::<S, 6, 2>(simd),
            (_, 1) => self.of_many::<S, 1>(simd, 0),
            (_, 2) => self.of_many::<S, 2>(simd, 0),
            (_, 3) => self.of_many::<S, 3>(simd, 0),
            _ => self.of_many::<S, VECTORS>(simd, 0),
        }
    }
}

impl<F: Factor> Weighted<'_, F> {
    /// A vector's lanes are the rows, from one output on.
    #[inline(always)]
    fn of_many<S: Simd, const VECTORS: usize>(&self, simd: S, first: usize) {
        let Self { task, weight } = self;
        let (columns, _) = S::as_simd_f32s(&task.columns.data).0.as_chunks::<VECTORS>();
        let lines = Lines { data: &weight[first * task.width..], line: task.width };
        for_all(simd, lines, task.end - task.first - first, columns, |at, products| {
            let numbers: &[f32] = cast_slice(products.as_flattened());
            for row in 0..task.columns.rows {
                let of_row = numbers[row..].iter().step_by(VECTORS * S::F32_LANES);
                for (i, number) in of_row.enumerate() {
                    // SAFETY: these outputs' columns belong to this task alone.
                    unsafe { task.put(row, first + at + i, *number) };
                }
            }
        });
    }

    /// A vector's lanes are the outputs: for so few rows that many lanes would be empty. To the same bit. `VECTORS` is what
    /// the rows fill.
    #[inline(always)]
    fn of_few<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S) {
        let Self { task, weight } = self;
        let rows = std::array::from_fn(|row| &task.x[row * task.width..][..task.width]);
        let whole = few::products::<S, F, ROWS>(simd, weight, rows, |at, products| {
            for (row, numbers) in products.iter().enumerate() {
                for (i, number) in cast_slice::<_, f32>(std::slice::from_ref(numbers)).iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { task.put(row, at + i, *number) };
                }
            }
        });
        self.of_many::<S, VECTORS>(simd, whole);
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::super::element::narrow;
    use super::*;

    /// Few rows, whose lanes are outputs, beside many, whose lanes are rows; and both against sums in f64.
    #[test]
    fn a_row_gives_the_same_whatever_stands_beside_it() {
        let numbers = |n: usize, step: usize| -> Vec<f32> {
            (0..n).map(|i| (i * step % 1009) as f32 / 1009.0 - 0.5).collect()
        };
        for (width, outputs) in [(1, 3), (18, 16), (30, 211), (64, 97), (7, 100), (576, 40)] {
            let (x, w) = (numbers(20 * width, 37), numbers(outputs * width, 53));
            let (x_bf16, w_bf16): (Vec<bf16>, Vec<bf16>) = (narrow(&x), narrow(&w));
            let stored = [(Floats::F32(&x), Floats::F32(&w)), (Floats::Bf16(&x_bf16), Floats::Bf16(&w_bf16))];
            for (x, w) in stored {
                let all = project(x, w, width);
                let (wide_x, wide_w) = (x.wide(), w.wide());
                for (i, got) in all.iter().enumerate() {
                    let rows =
                        (&wide_x[i / outputs * width..][..width], &wide_w[i % outputs * width..][..width]);
                    let sum: f64 =
                        rows.0.iter().zip(rows.1).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
                    assert!((f64::from(*got) - sum).abs() < 1e-5, "{width} x {outputs}: {got} is not {sum}");
                }
                for few in 1..=7 {
                    let some = match x {
                        Floats::F32(x) => project(Floats::F32(&x[3 * width..(3 + few) * width]), w, width),
                        Floats::Bf16(x) => project(Floats::Bf16(&x[3 * width..(3 + few) * width]), w, width),
                    };
                    assert_eq!(some, all[3 * outputs..(3 + few) * outputs], "{few} of {width} x {outputs}");
                }
            }
        }
    }
}
