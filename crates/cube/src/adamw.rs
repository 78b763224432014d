//! AdamW in one pass over a parameter, and the gradient's global norm, all of it without a word to the host.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{UNITS, elementwise, grid, plane_size, vector_size};
use crate::reduce::{team_sum, vector_total};
use crate::{Buffer, CubeError, Dtype};

/// Vectors that a workgroup of [`SquareSums::add`] takes.
const BLOCK: usize = 16 * UNITS as usize;

/// Settings of AdamW ("Decoupled Weight Decay Regularization", arXiv 1711.05101), at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Number of the step, from 1 (0 is read as 1).
    pub t: u32,
    /// This step's learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
    /// Decoupled: parameters shrink by `lr * weight_decay` a step, whatever the gradient.
    pub weight_decay: f64,
}

/// A parameter with its state, all of one length and changed in place.
#[derive(Clone, Debug)]
pub struct AdamWState {
    /// The parameter in full precision.
    pub param: Buffer,
    /// Mean of gradients, f32, zeros before the first step.
    pub mean: Buffer,
    /// Mean of squared gradients, f32, zeros before the first step.
    pub mean_square: Buffer,
    /// Where the parameter is also written as the model computes with it, rounded to this buffer's storage.
    pub copy: Option<Buffer>,
}

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

/// One step in place, with `g` the gradient times the factor of `clip`:
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = (1 - lr wd) p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
///
/// # Arguments
/// - `clip`: what [`SquareSums::clip`] returned.
///
/// # Cost
/// Reads four numbers and writes three, 26 bytes a parameter with a bf16 gradient and 2 more for a bf16 copy:
/// 13 operations, a root and a division.
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit each other.
pub fn adamw_step(
    client: &Client,
    state: &AdamWState,
    grad: &Buffer,
    clip: &Buffer,
    step: &AdamWStep,
) -> Result<(), CubeError> {
    let len = state.param.len();
    let kept = [("param", &state.param), ("mean", &state.mean), ("mean_square", &state.mean_square)];
    for (what, buffer) in kept {
        buffer.expect_len(what, len)?;
        buffer.expect_dtype(what, Dtype::F32)?;
    }
    grad.expect_len("grad", len)?;
    clip.expect_len("clip", 2)?;
    clip.expect_dtype("clip", Dtype::F32)?;
    if let Some(copy) = &state.copy {
        copy.expect_len("copy", len)?;
    }
    let t = f64::from(step.t.max(1));
    let constants = ConstantsLaunch::new(
        step.beta1 as f32,
        (1.0 - step.beta1) as f32,
        step.beta2 as f32,
        (1.0 - step.beta2) as f32,
        (1.0 - step.lr * step.weight_decay) as f32,
        (step.lr / (1.0 - step.beta1.powf(t))) as f32,
        (1.0 / (1.0 - step.beta2.powf(t)).sqrt()) as f32,
        step.epsilon as f32,
    );
    let lanes = vector_size(client, 4, &[len]);
    let (count, dim) = elementwise(client, len / lanes);
    // Without a copy the kernel has a buffer in its place that it does not touch.
    let copy = state.copy.clone().unwrap_or_else(|| Buffer::empty(client, lanes, Dtype::F32));
    let elems = [grad.dtype().elem(), copy.dtype().elem()];
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
            copy.arg(),
            clip.arg(),
            constants,
            state.copy.is_some(),
            elems,
        );
    }
    Ok(())
}

/// Sums of squares of a model's gradients, a partial sum for each block of a gradient, on the device.
#[derive(Clone, Debug, Default)]
pub struct SquareSums {
    parts: Vec<Buffer>,
}

impl SquareSums {
    /// No gradient yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gradient.
    ///
    /// # Cost
    /// Reads the gradient once: 2 operations a number.
    pub fn add(&mut self, client: &Client, grad: &Buffer) {
        if grad.is_empty() {
            return;
        }
        let lanes = vector_size(client, grad.dtype().size(), &[grad.len()]);
        let cubes = (grad.len() / lanes).div_ceil(BLOCK);
        let out = Buffer::empty(client, cubes, Dtype::F32);
        let (count, dim) = (grid(client, cubes), CubeDim::new_1d(UNITS));
        let (plane, elem) = (plane_size(client), grad.dtype().elem());
        // SAFETY: the kernel leaves out vectors and blocks beyond the end.
        unsafe { squares::launch_unchecked(client, count, dim, lanes, grad.arg(), out.arg(), plane, elem) };
        self.parts.push(out);
    }

    /// The global norm of all gradients, and what they are to be multiplied by so that it is at most `max_norm`:
    /// `min(1, max_norm / (norm + 1e-6))`, as PyTorch's `clip_grad_norm_` has it. A norm that is NaN gives NaN.
    ///
    /// # Shapes
    /// `[2]`, f32: the norm, the factor.
    pub fn clip(&self, client: &Client, max_norm: f32) -> Buffer {
        let mut sum = Buffer::from_slice(client, &[0.0], Dtype::F32);
        for part in &self.parts {
            let out = Buffer::empty(client, 1, Dtype::F32);
            let (one, dim) = (CubeCount::Static(1, 1, 1), CubeDim::new_1d(UNITS));
            // SAFETY: the kernel reads `part` within its length, and one number of each of the others.
            unsafe {
                accumulate::launch_unchecked(
                    client,
                    one,
                    dim,
                    part.arg(),
                    sum.arg(),
                    out.arg(),
                    plane_size(client),
                )
            };
            sum = out;
        }
        let out = Buffer::empty(client, 2, Dtype::F32);
        let (one, dim) = (CubeCount::Static(1, 1, 1), CubeDim::new_1d(1));
        // SAFETY: `sum` holds one number and `out` two.
        unsafe { factor::launch_unchecked(client, one, dim, sum.arg(), out.arg(), max_norm) };
        out
    }
}

#[cube(launch_unchecked)]
fn step_kernel<G: Float, C: Float, N: Size>(
    param: &mut [Vector<f32, N>],
    grad: &[Vector<G, N>],
    mean: &mut [Vector<f32, N>],
    mean_square: &mut [Vector<f32, N>],
    copy: &mut [Vector<C, N>],
    clip: &[f32],
    constants: Constants,
    #[comptime] copied: bool,
    #[define(G, C)] _storage: [ElemType; 2],
) {
    let at = ABSOLUTE_POS;
    if at >= param.len() {
        terminate!();
    }
    let g = Vector::<f32, N>::cast_from(grad[at]) * Vector::new(clip[1]);
    let m = Vector::new(constants.beta1) * mean[at] + Vector::new(constants.one_minus_beta1) * g;
    let v = Vector::new(constants.beta2) * mean_square[at] + Vector::new(constants.one_minus_beta2) * (g * g);
    let root = v.sqrt() * Vector::new(constants.inverse_root_correction) + Vector::new(constants.epsilon);
    let p = Vector::new(constants.keep) * param[at] - Vector::new(constants.step_size) * (m / root);
    mean[at] = m;
    mean_square[at] = v;
    param[at] = p;
    if comptime!(copied) {
        copy[at] = Vector::cast_from(p);
    }
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

#[cube(launch_unchecked)]
fn factor(sum: &[f32], out: &mut [f32], max_norm: f32) {
    let norm = sum[0].sqrt();
    out[0] = norm;
    let factor = max_norm / (norm + 1e-6);
    out[1] = select(factor > 1.0, f32::new(1.0), factor);
}
