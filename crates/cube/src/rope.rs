//! Rotary position embedding in the rotate-half form of Hugging Face models.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{RopeTable, Rotation};

use crate::launch::{divide, elementwise, vector_size};
use crate::{Buffer, CubeError, Dtype};

/// A [`RopeTable`] on a device.
#[derive(Clone, Debug)]
pub struct Angles {
    /// `[t, half]`, f32.
    pub cos: Buffer,
    /// As `cos`.
    pub sin: Buffer,
    /// Half the width of a head.
    pub half: usize,
}

impl Angles {
    /// Copies a table.
    pub fn new(client: &Client, table: &RopeTable) -> Self {
        let [cos, sin] = table.columns().map(|column| Buffer::from_slice(client, column, Dtype::F32));
        Self { cos, sin, half: table.half() }
    }

    /// Whether there are angles of so many rows.
    pub(crate) fn check(&self, rows: usize) -> Result<(), CubeError> {
        for (what, angles) in [("cos", &self.cos), ("sin", &self.sin)] {
            angles.expect_len(what, rows * self.half)?;
            angles.expect_dtype(what, Dtype::F32)?;
        }
        Ok(())
    }
}

/// Rotates every head of every row (Su et al., "RoFormer", arXiv 2104.09864): with halves (a, b) of a head,
/// (a cos - b sin, b cos + a sin).
///
/// # Shapes
/// `x_ti` is `[t, heads * 2 * half]`, as the result; the table has t rows.
///
/// # Cost
/// Reads and writes `x` once, and the table once a head (from the cache after the first): 6 operations a pair.
///
/// # Errors
/// [`CubeError::Length`], [`CubeError::Size`] or [`CubeError::Storage`] when the shapes or the table do not fit.
pub fn rope(
    client: &Client,
    x_ti: &Buffer,
    table: &Angles,
    heads: usize,
    rotation: Rotation,
) -> Result<Buffer, CubeError> {
    let half = table.half;
    let rows = divide("the width of a row", x_ti.len(), heads * 2 * half)?;
    table.check(rows)?;
    let out = Buffer::empty(client, x_ti.len(), x_ti.dtype());
    let lanes = vector_size(client, x_ti.dtype().size(), &[half]);
    let (count, dim) = elementwise(client, x_ti.len() / 2 / lanes);
    let backward = rotation == Rotation::Backward;
    let args = (x_ti.arg(), table.cos.arg(), table.sin.arg(), out.arg());
    // SAFETY: the kernel leaves out units beyond the last pair, and the buffers are as long as checked above.
    unsafe {
        rotate::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            args.0,
            args.1,
            args.2,
            args.3,
            half / lanes,
            heads,
            backward,
            x_ti.dtype().elem(),
        );
    }
    Ok(out)
}

/// A unit turns one vector of a head's first half with its partner of the second.
#[cube(launch_unchecked)]
fn rotate<F: Float, N: Size>(
    x: &[Vector<F, N>],
    cos: &[Vector<f32, N>],
    sin: &[Vector<f32, N>],
    out: &mut [Vector<F, N>],
    #[comptime] half: usize,
    #[comptime] heads: usize,
    #[comptime] backward: bool,
    #[define(F)] _storage: ElemType,
) {
    if ABSOLUTE_POS >= x.len() / 2 {
        terminate!();
    }
    let (head, column) = (ABSOLUTE_POS / half, ABSOLUTE_POS % half);
    let (first, angle) = (head * (2 * half) + column, head / heads * half + column);
    let a = Vector::<f32, N>::cast_from(x[first]);
    let b = Vector::<f32, N>::cast_from(x[first + half]);
    let cos = cos[angle];
    let mut sin = sin[angle];
    if comptime!(backward) {
        sin = -sin;
    }
    out[first] = Vector::cast_from(a * cos - b * sin);
    out[first + half] = Vector::cast_from(b * cos + a * sin);
}
