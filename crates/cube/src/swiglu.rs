//! The gated activation of the feed-forward part.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{elementwise, vector_size};
use crate::{Buffer, CubeError};

/// `silu(gate) * up`, with `silu(g) = g / (1 + e^-g)` (Shazeer, "GLU Variants Improve Transformer", arXiv
/// 2002.05202), stored as `gate` is.
///
/// # Shapes
/// Both and the result have one length.
///
/// # Cost
/// Reads two numbers and writes one for 4 operations and an exponential.
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the two differ.
pub fn swiglu(client: &Client, gate: &Buffer, up: &Buffer) -> Result<Buffer, CubeError> {
    up.expect_len("up", gate.len())?;
    up.expect_dtype("up", gate.dtype())?;
    let out = Buffer::empty(client, gate.len(), gate.dtype());
    let lanes = vector_size(client, gate.dtype().size(), &[gate.len()]);
    let (count, dim) = elementwise(client, gate.len() / lanes);
    let elem = gate.dtype().elem();
    // SAFETY: the kernel leaves out units beyond the end, and all buffers have one length.
    unsafe {
        forward::launch_unchecked(client, count, dim, lanes, gate.arg(), up.arg(), out.arg(), elem);
    }
    Ok(out)
}

/// Gradients of [`swiglu`] by `gate` and `up`: with s = 1 / (1 + e^-g), dgate = grad up (s + g s (1 - s)) and
/// dup = grad g s.
///
/// # Shapes
/// All have one length.
///
/// # Cost
/// Reads three numbers and writes two for 9 operations and an exponential.
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the three differ.
pub fn swiglu_grad(
    client: &Client,
    gate: &Buffer,
    up: &Buffer,
    grad: &Buffer,
) -> Result<[Buffer; 2], CubeError> {
    for (what, other) in [("up", up), ("grad", grad)] {
        other.expect_len(what, gate.len())?;
        other.expect_dtype(what, gate.dtype())?;
    }
    let [dgate, dup] = [0, 1].map(|_| Buffer::empty(client, gate.len(), gate.dtype()));
    let lanes = vector_size(client, gate.dtype().size(), &[gate.len()]);
    let (count, dim) = elementwise(client, gate.len() / lanes);
    let args = (gate.arg(), up.arg(), grad.arg(), dgate.arg(), dup.arg());
    // SAFETY: the kernel leaves out units beyond the end, and all buffers have one length.
    unsafe {
        backward::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            args.0,
            args.1,
            args.2,
            args.3,
            args.4,
            gate.dtype().elem(),
        );
    }
    Ok([dgate, dup])
}

#[cube]
fn sigmoid<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let one = Vector::new(1.0f32);
    one / (one + (-x).exp())
}

#[cube(launch_unchecked)]
fn forward<F: Float, N: Size>(
    gate: &[Vector<F, N>],
    up: &[Vector<F, N>],
    out: &mut [Vector<F, N>],
    #[define(F)] _storage: ElemType,
) {
    if ABSOLUTE_POS >= out.len() {
        terminate!();
    }
    let gate = Vector::<f32, N>::cast_from(gate[ABSOLUTE_POS]);
    let up = Vector::<f32, N>::cast_from(up[ABSOLUTE_POS]);
    out[ABSOLUTE_POS] = Vector::cast_from(gate * sigmoid(gate) * up);
}

#[cube(launch_unchecked)]
fn backward<F: Float, N: Size>(
    gate: &[Vector<F, N>],
    up: &[Vector<F, N>],
    grad: &[Vector<F, N>],
    dgate: &mut [Vector<F, N>],
    dup: &mut [Vector<F, N>],
    #[define(F)] _storage: ElemType,
) {
    if ABSOLUTE_POS >= grad.len() {
        terminate!();
    }
    let gate = Vector::<f32, N>::cast_from(gate[ABSOLUTE_POS]);
    let up = Vector::<f32, N>::cast_from(up[ABSOLUTE_POS]);
    let grad = Vector::<f32, N>::cast_from(grad[ABSOLUTE_POS]);
    let s = sigmoid(gate);
    let silu = gate * s;
    dup[ABSOLUTE_POS] = Vector::cast_from(grad * silu);
    dgate[ABSOLUTE_POS] = Vector::cast_from(grad * up * (s + silu * (Vector::new(1.0f32) - s)));
}
