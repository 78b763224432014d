//! Rows of a table by index, and the sum of gradients by row.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{Teams, divide, elementwise, vector_size};
use crate::{Buffer, CubeError, Dtype, Indices};

/// The rows `ids` of a table, stored as the table is.
///
/// # Shapes
/// `[v, width]` to `[ids.len(), width]`; every id is below v.
///
/// # Cost
/// Reads each row and writes it once.
///
/// # Errors
/// [`CubeError::Size`] when the width does not divide the table's length.
pub fn gather_rows(
    client: &Client,
    table_vi: &Buffer,
    ids: &Indices,
    width: usize,
) -> Result<Buffer, CubeError> {
    divide("the width", table_vi.len(), width)?;
    let out = Buffer::empty(client, ids.len() * width, table_vi.dtype());
    let lanes = vector_size(client, table_vi.dtype().size(), &[width]);
    let (count, dim) = elementwise(client, out.len() / lanes);
    let elem = table_vi.dtype().elem();
    let table = table_vi.arg();
    // SAFETY: the kernel leaves out units beyond the end; the caller keeps the ids below v.
    unsafe {
        gather::launch_unchecked(client, count, dim, lanes, table, ids.arg(), out.arg(), width / lanes, elem);
    }
    Ok(out)
}

/// Which rows of a batch came from which row of a table, so that each of the table's rows is summed by one team in the
/// batch's order.
#[derive(Clone, Debug)]
pub struct GatherOrder {
    /// The batch's rows, those with the same id side by side, in their order.
    places: Indices,
    /// The ids that occur, ascending.
    ids: Indices,
    /// Where each id's places begin, and the end of the last.
    starts: Indices,
    /// Rows of the table.
    rows: usize,
}

impl GatherOrder {
    /// The order of a batch's ids for a table of `rows` rows.
    ///
    /// # Errors
    /// [`CubeError::Index`] for an id that is not below `rows`.
    pub fn new(client: &Client, ids: &[u32], rows: usize) -> Result<Self, CubeError> {
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= rows) {
            return Err(CubeError::Index { what: "id", value: id as usize, limit: rows });
        }
        let mut places: Vec<u32> = (0..ids.len() as u32).collect();
        places.sort_by_key(|&place| ids[place as usize]);
        let (mut distinct, mut starts) = (Vec::new(), vec![0]);
        for same in places.chunk_by(|&a, &b| ids[a as usize] == ids[b as usize]) {
            distinct.push(ids[same[0] as usize]);
            starts.push(starts[starts.len() - 1] + same.len() as u32);
        }
        let [places, ids, starts] = [places, distinct, starts].map(|v| Indices::from_slice(client, &v));
        Ok(Self { places, ids, starts, rows })
    }
}

/// Gradient of [`gather_rows`] by the table, in f32: zeros, and to each row the gradients of the batch's rows that came
/// from it, added in their order.
///
/// # Shapes
/// `[ids.len(), width]` to `[v, width]`.
///
/// # Cost
/// Writes the table, and reads the gradient and writes the rows that occur once more.
///
/// # Errors
/// [`CubeError::Length`] when the gradient has not a row for every id, [`CubeError::Size`] when the width is zero.
pub fn gather_rows_grad(
    client: &Client,
    grad_ti: &Buffer,
    order: &GatherOrder,
    width: usize,
) -> Result<Buffer, CubeError> {
    divide("the width", grad_ti.len(), width)?;
    grad_ti.expect_len("grad", order.places.len() * width)?;
    let out = zeros(client, order.rows * width);
    let lanes = vector_size(client, grad_ti.dtype().size(), &[width]);
    let teams = Teams::for_rows(client, width / lanes);
    let (count, dim) = (teams.grid(client, order.ids.len()), teams.dim());
    let args = (order.places.arg(), order.ids.arg(), order.starts.arg());
    // SAFETY: places, ids and starts are those of `GatherOrder::new`, and a team writes a row of its own.
    unsafe {
        add_rows::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            grad_ti.arg(),
            args.0,
            args.1,
            args.2,
            out.arg(),
            width / lanes,
            teams,
            grad_ti.dtype().elem(),
        );
    }
    Ok(out)
}

/// Zeros, in f32.
fn zeros(client: &Client, len: usize) -> Buffer {
    let out = Buffer::empty(client, len, Dtype::F32);
    let lanes = vector_size(client, 4, &[len]);
    let (count, dim) = elementwise(client, len / lanes);
    // SAFETY: the kernel leaves out units beyond the end.
    unsafe { clear::launch_unchecked(client, count, dim, lanes, out.arg()) };
    out
}

#[cube(launch_unchecked)]
fn clear<N: Size>(out: &mut [Vector<f32, N>]) {
    if ABSOLUTE_POS < out.len() {
        out[ABSOLUTE_POS] = Vector::new(0.0f32);
    }
}

#[cube(launch_unchecked)]
fn gather<F: Float, N: Size>(
    table: &[Vector<F, N>],
    ids: &[u32],
    out: &mut [Vector<F, N>],
    #[comptime] vectors: usize,
    #[define(F)] _storage: ElemType,
) {
    if ABSOLUTE_POS >= out.len() {
        terminate!();
    }
    let id = ids[ABSOLUTE_POS / vectors] as usize;
    out[ABSOLUTE_POS] = table[id * vectors + ABSOLUTE_POS % vectors];
}

/// A team sums the rows of one id.
#[cube(launch_unchecked)]
fn add_rows<F: Float, N: Size>(
    grad: &[Vector<F, N>],
    places: &[u32],
    ids: &[u32],
    starts: &[u32],
    out: &mut [Vector<f32, N>],
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
    #[define(F)] _storage: ElemType,
) {
    let index = CUBE_POS * comptime!(teams.count as usize) + UNIT_POS_Y as usize;
    if index >= ids.len() {
        terminate!();
    }
    let row = ids[index] as usize * vectors;
    let (start, end) = (starts[index], starts[index + 1]);
    let mut column = UNIT_POS_X as usize;
    while column < vectors {
        let mut sum = Vector::<f32, N>::new(0.0f32);
        for place in start..end {
            sum += Vector::cast_from(grad[places[place as usize] as usize * vectors + column]);
        }
        out[row + column] = sum;
        column += comptime!(teams.width as usize);
    }
}
