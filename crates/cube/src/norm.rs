//! RMSNorm, forward and backward: a row is read once and stays in registers.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{Teams, divide, grid, vector_size};
use crate::reduce::{team_sum, vector_total};
use crate::rows::sum_rows;
use crate::{Buffer, CubeError, Dtype};

/// Workgroups that the backward pass has at the most: each leaves a partial sum of the weight's gradient.
const PARTIALS: usize = 256;

/// `x / sqrt(mean(x^2) + eps) * weight` (Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv
/// 1910.07467), stored as `x` is.
///
/// # Shapes
/// `[t, k * i]` and `[i]` to `[t, k * i]`: where a row is k times as wide as the weight, each of its k parts is
/// normalised by itself.
///
/// # Cost
/// Reads and writes `x` once, and the weight once a row (from the cache after the first): 4 operations a number.
///
/// # Errors
/// [`CubeError::Size`] when the weight's length does not divide that of `x`.
pub fn rms_norm(client: &Client, x_ti: &Buffer, weight_i: &Buffer, eps: f32) -> Result<Buffer, CubeError> {
    let width = weight_i.len();
    let rows = divide("the weight's length", x_ti.len(), width)?;
    let out = Buffer::empty(client, x_ti.len(), x_ti.dtype());
    let lanes = vector_size(client, x_ti.dtype().size(), &[width]);
    let teams = Teams::for_rows(client, width / lanes);
    let elems = [x_ti.dtype().elem(), weight_i.dtype().elem()];
    let (x, weight) = (x_ti.arg(), weight_i.arg());
    let (count, dim) = (teams.grid(client, rows), teams.dim());
    // SAFETY: teams leave out rows and columns beyond the end, and the lengths are checked above.
    unsafe {
        forward::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            x,
            weight,
            out.arg(),
            eps,
            width / lanes,
            teams,
            elems,
        );
    }
    Ok(out)
}

/// `x + y`, and that normalised as [`rms_norm`] does, both stored as `x` is: a residual connection and the norm behind
/// it, with the roundings of the two.
///
/// # Shapes
/// `x` and `y` `[t, i]`, the weight `[i]`; both results `[t, i]`.
///
/// # Cost
/// Reads `x` and `y` and writes both results once.
///
/// # Errors
/// [`CubeError::Size`], [`CubeError::Length`] or [`CubeError::Storage`] when the shapes do not fit each other.
pub fn add_rms_norm(
    client: &Client,
    [x_ti, y_ti]: [&Buffer; 2],
    weight_i: &Buffer,
    eps: f32,
) -> Result<[Buffer; 2], CubeError> {
    let width = weight_i.len();
    let rows = divide("the weight's length", x_ti.len(), width)?;
    y_ti.expect_len("y", x_ti.len())?;
    y_ti.expect_dtype("y", x_ti.dtype())?;
    let [sum, out] = [0, 1].map(|_| Buffer::empty(client, x_ti.len(), x_ti.dtype()));
    let lanes = vector_size(client, x_ti.dtype().size(), &[width]);
    let teams = Teams::for_rows(client, width / lanes);
    let elems = [x_ti.dtype().elem(), weight_i.dtype().elem()];
    let args = (x_ti.arg(), y_ti.arg(), weight_i.arg(), sum.arg(), out.arg());
    // SAFETY: as in `rms_norm`.
    unsafe {
        forward_of_sum::launch_unchecked(
            client,
            teams.grid(client, rows),
            teams.dim(),
            lanes,
            args.0,
            args.1,
            args.2,
            args.3,
            args.4,
            eps,
            width / lanes,
            teams,
            elems,
        );
    }
    Ok([sum, out])
}

/// Gradients of [`rms_norm`] by `x`, stored as `x` is, and by the weight, in f32: with r = 1/rms and n = x r,
/// dx = r (g w - n mean(g w n)), dw = sum over rows of g n.
///
/// # Shapes
/// Those of [`rms_norm`]; `grad_ti` is as `x_ti`.
///
/// # Cost
/// Reads `x` and `grad` and writes `dx` once: 11 operations a number. Up to 256 partial sums of `dw` are written and
/// read.
///
/// # Errors
/// [`CubeError::Size`], [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit each other.
pub fn rms_norm_grad(
    client: &Client,
    x_ti: &Buffer,
    weight_i: &Buffer,
    grad_ti: &Buffer,
    eps: f32,
) -> Result<[Buffer; 2], CubeError> {
    let width = weight_i.len();
    let rows = divide("the weight's length", x_ti.len(), width)?;
    grad_ti.expect_len("grad", x_ti.len())?;
    grad_ti.expect_dtype("grad", x_ti.dtype())?;
    let dx = Buffer::empty(client, x_ti.len(), x_ti.dtype());
    let lanes = vector_size(client, x_ti.dtype().size(), &[width]);
    let teams = Teams::for_rows(client, width / lanes);
    // Whole passes of the teams, so that a workgroup's rows are a run and none is in two of them.
    let passes = rows.div_ceil(PARTIALS * teams.count as usize).max(1);
    let cubes = rows.div_ceil(passes * teams.count as usize).max(1);
    let partials = Buffer::empty(client, cubes * width, Dtype::F32);
    let elems = [x_ti.dtype().elem(), weight_i.dtype().elem()];
    let args = (x_ti.arg(), weight_i.arg(), grad_ti.arg(), dx.arg(), partials.arg());
    // SAFETY: as in `rms_norm`; a workgroup writes its own row of the partial sums.
    unsafe {
        backward::launch_unchecked(
            client,
            grid(client, cubes),
            teams.dim(),
            lanes,
            args.0,
            args.1,
            args.2,
            args.3,
            args.4,
            eps,
            passes,
            width / lanes,
            teams,
            elems,
        );
    }
    let dw = sum_rows(client, &partials, width)?;
    Ok([dx, dw])
}

/// `1 / sqrt(mean(x^2) + eps)` of a row that a team holds in registers.
#[cube]
fn inverse_rms<N: Size>(
    x: &Array<Vector<f32, N>>,
    eps: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
) -> f32 {
    let mut squares = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for i in 0..comptime!(vectors.div_ceil(teams.width as usize)) {
        squares += x[i] * x[i];
    }
    let sum = team_sum(vector_total(squares), scratch, teams.width, teams.plane);
    let lanes = N::value();
    let width = comptime!((vectors * lanes) as f32);
    f32::new(1.0) / (sum / width + eps).sqrt()
}

#[cube(launch_unchecked)]
fn forward<F: Float, W: Float, N: Size>(
    x: &[Vector<F, N>],
    weight: &[Vector<W, N>],
    out: &mut [Vector<F, N>],
    eps: f32,
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
    #[define(F, W)] _storage: [ElemType; 2],
) {
    let mut scratch = Shared::new_slice(comptime!((teams.width * teams.count) as usize));
    let team = comptime!(teams.width as usize);
    let per_unit = comptime!(vectors.div_ceil(team));
    let row = CUBE_POS * comptime!(teams.count as usize) + UNIT_POS_Y as usize;
    let there = row < x.len() / vectors;
    let mut held = Array::<Vector<f32, N>>::new(per_unit);
    #[unroll]
    for i in 0..per_unit {
        let column = UNIT_POS_X as usize + i * team;
        held[i] = Vector::new(0.0f32);
        if there && column < vectors {
            held[i] = Vector::cast_from(x[row * vectors + column]);
        }
    }
    let r = inverse_rms(&held, eps, &mut scratch, vectors, teams);
    put_normed(&held, r, weight, out, row, there, vectors, team);
}

#[cube(launch_unchecked)]
fn forward_of_sum<F: Float, W: Float, N: Size>(
    x: &[Vector<F, N>],
    y: &[Vector<F, N>],
    weight: &[Vector<W, N>],
    sum: &mut [Vector<F, N>],
    out: &mut [Vector<F, N>],
    eps: f32,
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
    #[define(F, W)] _storage: [ElemType; 2],
) {
    let mut scratch = Shared::new_slice(comptime!((teams.width * teams.count) as usize));
    let team = comptime!(teams.width as usize);
    let per_unit = comptime!(vectors.div_ceil(team));
    let row = CUBE_POS * comptime!(teams.count as usize) + UNIT_POS_Y as usize;
    let there = row < x.len() / vectors;
    let mut held = Array::<Vector<f32, N>>::new(per_unit);
    #[unroll]
    for i in 0..per_unit {
        let column = UNIT_POS_X as usize + i * team;
        held[i] = Vector::new(0.0f32);
        if there && column < vectors {
            let at = row * vectors + column;
            let added = Vector::<F, N>::cast_from(
                Vector::<f32, N>::cast_from(x[at]) + Vector::<f32, N>::cast_from(y[at]),
            );
            sum[at] = added;
            held[i] = Vector::cast_from(added);
        }
    }
    let r = inverse_rms(&held, eps, &mut scratch, vectors, teams);
    put_normed(&held, r, weight, out, row, there, vectors, team);
}

/// Writes a row that a team holds in registers, times `r` and the weight.
#[cube]
fn put_normed<F: Float, W: Float, N: Size>(
    held: &Array<Vector<f32, N>>,
    r: f32,
    weight: &[Vector<W, N>],
    out: &mut [Vector<F, N>],
    row: usize,
    there: bool,
    #[comptime] vectors: usize,
    #[comptime] team: usize,
) {
    #[unroll]
    for i in 0..comptime!(vectors.div_ceil(team)) {
        let column = UNIT_POS_X as usize + i * team;
        if there && column < vectors {
            let weight = Vector::<f32, N>::cast_from(weight[column]);
            out[row * vectors + column] = Vector::cast_from(held[i] * Vector::new(r) * weight);
        }
    }
}

#[cube(launch_unchecked)]
fn backward<F: Float, W: Float, N: Size>(
    x: &[Vector<F, N>],
    weight: &[Vector<W, N>],
    grad: &[Vector<F, N>],
    dx: &mut [Vector<F, N>],
    partials: &mut [Vector<f32, N>],
    eps: f32,
    passes: usize,
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
    #[define(F, W)] _storage: [ElemType; 2],
) {
    let mut scratch = Shared::new_slice(comptime!((teams.width * teams.count) as usize));
    let (team, count) = comptime!((teams.width as usize, teams.count as usize));
    let per_unit = comptime!(vectors.div_ceil(team));
    let lanes = N::value();
    let rows = x.len() / vectors;
    let mut dw = Array::<Vector<f32, N>>::new(per_unit);
    let mut held = Array::<Vector<f32, N>>::new(per_unit);
    let mut weighted = Array::<Vector<f32, N>>::new(per_unit);
    #[unroll]
    for i in 0..per_unit {
        dw[i] = Vector::new(0.0f32);
    }
    for pass in 0..passes {
        let row = (CUBE_POS * passes + pass) * count + UNIT_POS_Y as usize;
        let there = row < rows;
        #[unroll]
        for i in 0..per_unit {
            let column = UNIT_POS_X as usize + i * team;
            held[i] = Vector::new(0.0f32);
            if there && column < vectors {
                held[i] = Vector::cast_from(x[row * vectors + column]);
            }
        }
        let r = inverse_rms(&held, eps, &mut scratch, vectors, teams);
        let mut product = Vector::<f32, N>::new(0.0f32);
        #[unroll]
        for i in 0..per_unit {
            let column = UNIT_POS_X as usize + i * team;
            weighted[i] = Vector::new(0.0f32);
            if there && column < vectors {
                let g = Vector::<f32, N>::cast_from(grad[row * vectors + column]);
                held[i] *= Vector::new(r);
                weighted[i] = g * Vector::cast_from(weight[column]);
                dw[i] += g * held[i];
            }
            product += weighted[i] * held[i];
        }
        let sum = team_sum(vector_total(product), &mut scratch, teams.width, teams.plane);
        let mean = sum / comptime!((vectors * lanes) as f32);
        #[unroll]
        for i in 0..per_unit {
            let column = UNIT_POS_X as usize + i * team;
            if there && column < vectors {
                let by_x = (weighted[i] - held[i] * Vector::new(mean)) * Vector::new(r);
                dx[row * vectors + column] = Vector::cast_from(by_x);
            }
        }
    }
    // The teams add their sums one after the other.
    let mut sums = Shared::<[Vector<f32, N>]>::new_slice(vectors);
    #[unroll]
    for turn in 0..count {
        if UNIT_POS_Y as usize == turn {
            #[unroll]
            for i in 0..per_unit {
                let column = UNIT_POS_X as usize + i * team;
                if column < vectors {
                    let mut sum = dw[i];
                    if comptime!(turn > 0) {
                        sum += sums[column];
                    }
                    sums[column] = sum;
                    if comptime!(turn + 1 == count) {
                        partials[CUBE_POS * vectors + column] = sum;
                    }
                }
            }
        }
        sync_cube();
    }
}
