//! Products of matrices on NVIDIA's tensor cores, in CUDA C++: what CubeCL compiles has neither Hopper's instructions nor
//! the fragments of loads that match them.
//!
//! Two kernels: `warps.cu`, with instructions of a warp, in tiles for many and for few rows, from compute capability 8.0
//! on; `group.cu`, with Hopper's instructions of four warps, for large products. Either sums in f32 along the inner
//! dimension in one order, which depends on the sizes and the device's kind alone.
//!
//! References: PTX ISA 9.0, "Warp Level Matrix Multiply-Accumulate Instructions" and "Asynchronous Warpgroup Level Matrix
//! Multiply-Accumulate Instructions"; the split of the inner dimension with a last block that adds up, in one order, is
//! the "split-K serial reduction" of CUTLASS without its waiting.

mod kernel;
mod plan;

use std::cell::RefCell;
use std::collections::HashMap;

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::cuda::{is_aligned, launch};
use crate::{Buffer, CubeError, Dtype};
use kernel::Text;
use plan::Plan;
pub use plan::ProductKind;

/// A matrix as it lies in memory.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The numbers.
    pub buffer: Buffer,
    /// Rows of the matrix that is multiplied.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Numbers from the beginning of one line in memory to the next.
    pub stride: usize,
    /// Whether lines are columns of the matrix, and not its rows.
    pub transposed: bool,
}

/// The kinds of kernels that compute a product on this device, the one that [`product`] takes first; none where it
/// computes none: on other devices, in f32, and where sizes are no multiples of 8 along which numbers are copied.
pub fn product_kinds(client: &Client, a: &Matrix, b: &Matrix) -> Vec<ProductKind> {
    Plan::all(client, a, b).into_iter().map(|plan| plan.kind).collect()
}

/// `a * b`, stored as `dtype`, rows one after the other; by one kind of kernel, or the best one. `None` where
/// [`product_kinds`] has none, or not this.
///
/// # Errors
/// [`CubeError::Length`] where the matrices do not fit each other or their memory.
pub fn product(
    client: &Client,
    a: &Matrix,
    b: &Matrix,
    dtype: Dtype,
    kind: Option<ProductKind>,
) -> Result<Option<Buffer>, CubeError> {
    a.check("the left matrix")?;
    b.check("the right matrix")?;
    if a.columns != b.rows {
        return Err(CubeError::Length {
            what: "the right matrix's rows",
            expected: a.columns,
            found: b.rows,
        });
    }
    let mut plans = Plan::all(client, a, b).into_iter();
    let fits = dtype == Dtype::F32 || dtype == a.buffer.dtype();
    let Some(plan) = plans.find(|plan| fits && kind.is_none_or(|kind| plan.kind == kind)) else {
        return Ok(None);
    };
    let out = Buffer::empty(client, a.rows * b.columns, dtype);
    let text = Text::of(plan.kind, a, b, dtype);
    run(client, text, plan.splits, [a, b], &[b.buffer.handle()], (b.columns, &out));
    Ok(Some(out))
}

/// `silu(a * gate) * (a * up)`, as [`crate::swiglu`] of the two products, of few rows: what a decoding step's feed-forward
/// begins with, in one launch. `None` where [`product`] has no kernel for few rows of these, or the matrices' lines are not
/// along the inner dimension.
///
/// # Errors
/// [`CubeError::Length`] where the matrices do not fit each other or their memory.
pub fn gated_product(
    client: &Client,
    a: &Matrix,
    gate: &Matrix,
    up: &Matrix,
) -> Result<Option<Buffer>, CubeError> {
    a.check("the left matrix")?;
    for (what, matrix) in [("gate", gate), ("up", up)] {
        matrix.check(what)?;
        if (matrix.rows, matrix.columns) != (a.columns, gate.columns) {
            return Err(CubeError::Length {
                what,
                expected: a.columns * gate.columns,
                found: matrix.rows * matrix.columns,
            });
        }
    }
    // The two matrices' lines are taken in turn, in eights.
    let alike = gate.transposed
        && up.transposed
        && gate.stride == up.stride
        && gate.columns.is_multiple_of(8)
        && is_aligned(up.buffer.handle())
        && !a.transposed;
    let both = Matrix { columns: 2 * gate.columns, ..gate.clone() };
    let kinds = Plan::all(client, a, &both).into_iter();
    let plan = kinds.filter(|_| alike && up.buffer.dtype() == a.buffer.dtype());
    let Some(plan) = plan.into_iter().find(|plan| plan.kind != ProductKind::Group) else { return Ok(None) };
    let dtype = a.buffer.dtype();
    let out = Buffer::empty(client, a.rows * gate.columns, dtype);
    let text = Text { gated: true, ..Text::of(plan.kind, a, gate, dtype) };
    let right = [gate.buffer.handle(), up.buffer.handle()];
    run(client, text, plan.splits, [a, &both], &right, (both.columns, &out));
    Ok(Some(out))
}

/// Enqueues a product of so many columns.
fn run(
    client: &Client,
    text: Text,
    splits: usize,
    [a, b]: [&Matrix; 2],
    right: &[&Handle],
    (columns, out): (usize, &Buffer),
) {
    let (m, n) = text.kind.tile();
    let tiles = a.rows.div_ceil(m) * columns.div_ceil(n);
    let parts = if splits == 1 { 1 } else { splits * tiles * m * n };
    let parts = Buffer::empty(client, parts, Dtype::F32);
    let sizes = [a.rows, columns, a.columns, a.stride, b.stride, splits].map(|size| size as u64);
    let tickets = tickets(client);
    let read = [&[a.buffer.handle()], right].concat();
    // A launch that fails leaves the tickets as they were: they count as written, and are not lost with it.
    let written = [out.handle(), parts.handle(), &tickets];
    launch(client, text, [tiles as u32, splits as u32], (&read, &written), &sizes);
}

impl Matrix {
    fn check(&self, what: &'static str) -> Result<(), CubeError> {
        let (lines, width) =
            if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) };
        let needed = lines.saturating_sub(1) * self.stride + width;
        if self.stride < width || self.buffer.len() < needed {
            return Err(CubeError::Length { what, expected: needed, found: self.buffer.len() });
        }
        Ok(())
    }
}

/// Counters, one for each tile of a product that is split: it has fewer tiles than a device has places for blocks.
const TICKETS: usize = 1 << 14;

/// Counters that are 0 between two products. Each thread has its own, as its work is in one order.
fn tickets(client: &Client) -> Handle {
    thread_local! {
        static TICKETS_OF: RefCell<HashMap<String, Handle>> = RefCell::new(HashMap::new());
    }
    TICKETS_OF.with(|all| {
        let mut all = all.borrow_mut();
        let device = format!("{:?}", client.properties().identity);
        all.entry(device).or_insert_with(|| client.create_from_slice(&[0; 4 * TICKETS])).clone()
    })
}
