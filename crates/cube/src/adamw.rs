//! AdamW in one pass over a parameter, and the gradients' global norm.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{AdamWState, AdamWStep};

use crate::launch::{UNITS, elementwise, grid, plane_size, vector_size};
use crate::reduce::{team_sum, vector_total};
use crate::{Buffer, CubeError, Dtype};

/// Vectors of a gradient whose squares one workgroup sums.
const BLOCK: usize = 16 * UNITS as usize;

/// The step's constants as the kernel takes them.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Constants {
    beta1: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    keep: f32,
    step_size: f32,
    inverse_root_correction: f32,
    epsilon: f32,
}

/// One step in place, with `g` the gradient times `scale`:
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = (1 - lr wd) p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
///
/// # Arguments
/// - `scale`: one number, in f32.
///
/// # Cost
/// Reads four numbers and writes three, 26 bytes a parameter with a bf16 gradient: 13 operations, a root and a division.
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit each other.
pub fn adamw_step(
    client: &Client,
    state: &AdamWState<Buffer>,
    grad: &Buffer,
    scale: &Buffer,
    step: &AdamWStep,
) -> Result<(), CubeError> {
    let len = state.param.len();
    let kept = [("param", &state.param), ("mean", &state.mean), ("mean_square", &state.mean_square)];
    for (what, buffer) in kept {
        buffer.expect_len(what, len)?;
        buffer.expect_dtype(what, Dtype::F32)?;
    }
    grad.expect_len("grad", len)?;
    scale.expect_len("scale", 1)?;
    scale.expect_dtype("scale", Dtype::F32)?;
    let constants = ConstantsLaunch::new(
        step.beta1 as f32,
        (1.0 - step.beta1) as f32,
        step.beta2 as f32,
        (1.0 - step.beta2) as f32,
        step.keep() as f32,
        step.step_size() as f32,
        step.root_correction() as f32,
        step.epsilon as f32,
    );
    let lanes = vector_size(client, 4, &[len]);
    let (count, dim) = elementwise(client, len / lanes);
    // SAFETY: the kernel leaves out units beyond the end, and all buffers have one length.
    unsafe {
        step_kernel::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            state.param.arg(),
            grad.arg(),
            state.mean.arg(),
            state.mean_square.arg(),
            scale.arg(),
            constants,
            grad.dtype().elem(),
        );
    }
    Ok(())
}

/// The root of the sum of squares of all gradients, in f32. Waits for the device, once.
///
/// # Cost
/// Reads each gradient once: 2 operations a number.
///
/// # Errors
/// [`CubeError::Device`] when the device failed.
pub fn norm(client: &Client, grads: &[Buffer]) -> Result<f32, CubeError> {
    let (plane, one, units) = (plane_size(client), CubeCount::Static(1, 1, 1), CubeDim::new_1d(UNITS));
    let mut sum = Buffer::from_slice(client, &[0.0], Dtype::F32);
    for grad in grads.iter().filter(|grad| !grad.is_empty()) {
        let lanes = vector_size(client, grad.dtype().size(), &[grad.len()]);
        let cubes = (grad.len() / lanes).div_ceil(BLOCK);
        let [parts, next] = [cubes, 1].map(|len| Buffer::empty(client, len, Dtype::F32));
        let (count, elem) = (grid(client, cubes), grad.dtype().elem());
        // SAFETY: the kernel leaves out vectors and blocks beyond the end.
        unsafe {
            squares::launch_unchecked(client, count, units, lanes, grad.arg(), parts.arg(), plane, elem)
        };
        let args = (parts.arg(), sum.arg(), next.arg());
        // SAFETY: the kernel reads `parts` within its length, and one number of each of the others.
        unsafe { accumulate::launch_unchecked(client, one.clone(), units, args.0, args.1, args.2, plane) };
        sum = next;
    }
    Ok(sum.read(client)?.first().map_or(0.0, |sum| sum.sqrt()))
}

#[cube(launch_unchecked)]
fn step_kernel<G: Float, N: Size>(
    param: &mut [Vector<f32, N>],
    grad: &[Vector<G, N>],
    mean: &mut [Vector<f32, N>],
    mean_square: &mut [Vector<f32, N>],
    scale: &[f32],
    constants: Constants,
    #[define(G)] _storage: ElemType,
) {
    let at = ABSOLUTE_POS;
    if at >= param.len() {
        terminate!();
    }
    let g = Vector::<f32, N>::cast_from(grad[at]) * Vector::new(scale[0]);
    let m = Vector::new(constants.beta1) * mean[at] + Vector::new(constants.one_minus_beta1) * g;
    let v = Vector::new(constants.beta2) * mean_square[at] + Vector::new(constants.one_minus_beta2) * (g * g);
    let root = v.sqrt() * Vector::new(constants.inverse_root_correction) + Vector::new(constants.epsilon);
    let p = Vector::new(constants.keep) * param[at] - Vector::new(constants.step_size) * (m / root);
    mean[at] = m;
    mean_square[at] = v;
    param[at] = p;
}

/// A workgroup sums the squares of one block.
#[cube(launch_unchecked)]
fn squares<F: Float, N: Size>(
    grad: &[Vector<F, N>],
    out: &mut [f32],
    #[comptime] plane: u32,
    #[define(F)] _storage: ElemType,
) {
    let mut scratch = Shared::new_slice(comptime!(UNITS as usize));
    let mut sum = Vector::<f32, N>::new(0.0f32);
    let start = CUBE_POS * comptime!(BLOCK) + UNIT_POS as usize;
    #[unroll]
    for i in 0..comptime!(BLOCK / UNITS as usize) {
        let at = start + i * comptime!(UNITS as usize);
        if at < grad.len() {
            let g = Vector::<f32, N>::cast_from(grad[at]);
            sum += g * g;
        }
    }
    let total = team_sum(vector_total(sum), &mut scratch, UNITS, plane);
    if UNIT_POS == 0 && CUBE_POS < out.len() {
        out[CUBE_POS] = total;
    }
}

/// One workgroup adds all partial sums of a gradient to a sum.
#[cube(launch_unchecked)]
fn accumulate(parts: &[f32], sum: &[f32], out: &mut [f32], #[comptime] plane: u32) {
    let mut scratch = Shared::new_slice(comptime!(UNITS as usize));
    let mut total = f32::new(0.0);
    let mut at = UNIT_POS as usize;
    while at < parts.len() {
        total += parts[at];
        at += comptime!(UNITS as usize);
    }
    let total = team_sum(total, &mut scratch, UNITS, plane);
    if UNIT_POS == 0 {
        out[0] = sum[0] + total;
    }
}
