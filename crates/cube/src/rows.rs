//! A row added to every row, the sum of all rows, and rows written to a cache.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{divide, elementwise, grid, vector_size};
use crate::{Buffer, CubeError, Dtype, Indices};

/// Columns' vectors that a workgroup of [`sum_rows`] takes.
const COLUMNS: usize = 32;
/// Rows that it reads at a time.
const LINES: usize = 8;
/// Rows that it takes, unless that were more than [`RUNS`] workgroups for a column.
const ROWS: usize = 64;
/// Most workgroups for a column.
const RUNS: usize = 256;

/// A row, such as a bias, added to every row, stored as `x` is.
///
/// # Shapes
/// `[t, i]` and `[i]` to `[t, i]`.
///
/// # Cost
/// Reads and writes `x` once for an operation a number.
///
/// # Errors
/// [`CubeError::Size`] when the row's length does not divide that of `x`.
pub fn add_row(client: &Client, x_ti: &Buffer, row_i: &Buffer) -> Result<Buffer, CubeError> {
    divide("the row's length", x_ti.len(), row_i.len())?;
    let out = Buffer::empty(client, x_ti.len(), x_ti.dtype());
    let lanes = vector_size(client, x_ti.dtype().size(), &[row_i.len()]);
    let (count, dim) = elementwise(client, x_ti.len() / lanes);
    let elems = [x_ti.dtype().elem(), row_i.dtype().elem()];
    let (x, row) = (x_ti.arg(), row_i.arg());
    // SAFETY: the kernel leaves out units beyond the end, and the row's length is checked above.
    unsafe {
        add::launch_unchecked(client, count, dim, lanes, x, row, out.arg(), row_i.len() / lanes, elems);
    }
    Ok(out)
}

/// The sum of all rows in f32, always in the same order: the gradient of [`add_row`] by the row.
///
/// # Shapes
/// `[t, width]` to `[width]`.
///
/// # Cost
/// Reads `grad` once for an operation a number; a partial sum for every 64 rows or more is written and read.
///
/// # Errors
/// [`CubeError::Size`] when the width does not divide the length.
pub fn sum_rows(client: &Client, grad_ti: &Buffer, width: usize) -> Result<Buffer, CubeError> {
    let rows = divide("the width", grad_ti.len(), width)?;
    let runs = rows.div_ceil(ROWS).clamp(1, RUNS);
    let partials = Buffer::empty(client, runs * width, Dtype::F32);
    let lanes = vector_size(client, grad_ti.dtype().size(), &[width]);
    let vectors = width / lanes;
    let (count, dim) =
        (grid(client, runs * vectors.div_ceil(COLUMNS)), CubeDim::new_2d(COLUMNS as u32, LINES as u32));
    let elem = grad_ti.dtype().elem();
    // SAFETY: the kernel leaves out rows and columns beyond the end.
    unsafe {
        sum::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            grad_ti.arg(),
            partials.arg(),
            rows,
            rows.div_ceil(runs),
            vectors,
            elem,
        );
    }
    if runs == 1 { Ok(partials) } else { sum_rows(client, &partials, width) }
}

/// Replaces the cache's rows `at` by those of `new`, in place, rounded to how the cache is stored.
///
/// # Shapes
/// `cache_ci` is `[c, width]`, `new_si` `[at.len(), width]`; no index below c stands twice; rows whose index is not are left out.
///
/// # Cost
/// Reads and writes `new` once.
///
/// # Errors
/// [`CubeError::Size`] or [`CubeError::Length`] when the shapes do not fit each other.
pub fn write_rows(
    client: &Client,
    cache_ci: &Buffer,
    new_si: &Buffer,
    at: &Indices,
    width: usize,
) -> Result<(), CubeError> {
    divide("the width", cache_ci.len(), width)?;
    new_si.expect_len("new", at.len() * width)?;
    let size = cache_ci.dtype().size().max(new_si.dtype().size());
    let lanes = vector_size(client, size, &[width]);
    let (count, dim) = elementwise(client, new_si.len() / lanes);
    let elems = [cache_ci.dtype().elem(), new_si.dtype().elem()];
    let (cache, new) = (cache_ci.arg(), new_si.arg());
    // SAFETY: the kernel leaves out units beyond the end and rows beyond the cache.
    unsafe {
        write::launch_unchecked(client, count, dim, lanes, cache, new, at.arg(), width / lanes, elems);
    }
    Ok(())
}

#[cube(launch_unchecked)]
fn add<F: Float, W: Float, N: Size>(
    x: &[Vector<F, N>],
    row: &[Vector<W, N>],
    out: &mut [Vector<F, N>],
    #[comptime] vectors: usize,
    #[define(F, W)] _storage: [ElemType; 2],
) {
    if ABSOLUTE_POS >= out.len() {
        terminate!();
    }
    let added = Vector::<f32, N>::cast_from(row[ABSOLUTE_POS % vectors]);
    out[ABSOLUTE_POS] = Vector::cast_from(Vector::<f32, N>::cast_from(x[ABSOLUTE_POS]) + added);
}

/// A workgroup sums `run` rows of [`COLUMNS`] columns, [`LINES`] at a time, to a row of `partials`.
#[cube(launch_unchecked)]
fn sum<F: Float, N: Size>(
    grad: &[Vector<F, N>],
    partials: &mut [Vector<f32, N>],
    rows: usize,
    run: usize,
    #[comptime] vectors: usize,
    #[define(F)] _storage: ElemType,
) {
    let stripes = comptime!(vectors.div_ceil(COLUMNS));
    let (part, stripe) = (CUBE_POS / stripes, CUBE_POS % stripes);
    let column = stripe * comptime!(COLUMNS) + UNIT_POS_X as usize;
    let mut total = Vector::<f32, N>::new(0.0f32);
    let end = min((part + 1) * run, rows);
    if column < vectors {
        let mut row = part * run + UNIT_POS_Y as usize;
        while row < end {
            total += Vector::cast_from(grad[row * vectors + column]);
            row += comptime!(LINES);
        }
    }
    let mut lines = Shared::<[Vector<f32, N>]>::new_slice(comptime!(COLUMNS * LINES));
    lines[UNIT_POS as usize] = total;
    sync_cube();
    if UNIT_POS_Y == 0 && column < vectors && part * vectors < partials.len() {
        let mut total = lines[UNIT_POS_X as usize];
        #[unroll]
        for line in 1..comptime!(LINES) {
            total += lines[line * comptime!(COLUMNS) + UNIT_POS_X as usize];
        }
        partials[part * vectors + column] = total;
    }
}

#[cube(launch_unchecked)]
fn write<C: Float, F: Float, N: Size>(
    cache: &mut [Vector<C, N>],
    new: &[Vector<F, N>],
    at: &[u32],
    #[comptime] vectors: usize,
    #[define(C, F)] _storage: [ElemType; 2],
) {
    if ABSOLUTE_POS >= new.len() {
        terminate!();
    }
    let target = at[ABSOLUTE_POS / vectors] as usize * vectors + ABSOLUTE_POS % vectors;
    if target < cache.len() {
        cache[target] = Vector::cast_from(new[ABSOLUTE_POS]);
    }
}
