//! The softmax part of the language-model head, on a chunk of logits: log-probability and entropy of each row, and
//! the gradient by the logits. The matrix products are left to a library.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use crate::launch::{UNITS, divide, elementwise, grid, plane_size, vector_size};
use crate::reduce::{team_max, team_sum, vector_total};
use crate::{Buffer, CubeError, Dtype, Indices};

/// What the forward pass knows of each of n rows, in f32 and nats.
#[derive(Clone, Debug)]
pub struct RowStats {
    /// Log-probability of the target.
    pub logprob_n: Buffer,
    /// Entropy of the distribution.
    pub entropy_n: Buffer,
    /// Logarithm of the sum of e^(logit * inverse temperature).
    pub log_sum_n: Buffer,
}

/// Log-probability of each row's target and entropy of its distribution `softmax(logits * inverse_temperature)`.
///
/// # Shapes
/// `logits_nv` is `[n, v]` with one target a row, each below v.
///
/// # Cost
/// Reads the logits once: an exponential and 7 operations a logit.
///
/// # Errors
/// [`CubeError::Size`] when the number of targets does not divide that of the logits.
pub fn logprob_entropy(
    client: &Client,
    logits_nv: &Buffer,
    targets: &Indices,
    inverse_temperature: f32,
) -> Result<RowStats, CubeError> {
    let rows = targets.len();
    let [logprob_n, entropy_n, log_sum_n] = [0, 1, 2].map(|_| Buffer::empty(client, rows, Dtype::F32));
    let stats = RowStats { logprob_n, entropy_n, log_sum_n };
    if rows == 0 && logits_nv.is_empty() {
        return Ok(stats);
    }
    let vocabulary = divide("the number of targets", logits_nv.len(), rows)?;
    let lanes = vector_size(client, logits_nv.dtype().size(), &[vocabulary]);
    let args = (logits_nv.arg(), stats.logprob_n.arg(), stats.entropy_n.arg(), stats.log_sum_n.arg());
    // SAFETY: a workgroup takes one row and leaves out columns beyond its end; the caller keeps the targets below v.
    unsafe {
        forward::launch_unchecked(
            client,
            grid(client, rows),
            CubeDim::new_1d(UNITS),
            lanes,
            args.0,
            targets.arg(),
            args.1,
            args.2,
            args.3,
            inverse_temperature,
            vocabulary / lanes,
            rows,
            plane_size(client),
            logits_nv.dtype().elem(),
        );
    }
    Ok(stats)
}

/// Replaces the logits by the gradient of the loss by them, in place: with p the probabilities and H the entropy of a
/// row, `inverse_temperature * (g_logprob (1[j = target] - p_j) - g_entropy p_j (log p_j + H))`.
///
/// # Shapes
/// Those of [`logprob_entropy`]; a gradient by log-probability and one by entropy a row, in f32.
///
/// # Cost
/// Reads and writes the logits once: an exponential and 7 operations a logit.
///
/// # Errors
/// [`CubeError::Size`], [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit each other.
pub fn logprob_entropy_grad(
    client: &Client,
    logits_nv: &Buffer,
    targets: &Indices,
    stats: &RowStats,
    [grad_logprob_n, grad_entropy_n]: [&Buffer; 2],
    inverse_temperature: f32,
) -> Result<(), CubeError> {
    let rows = targets.len();
    for (what, of_rows) in [
        ("the entropies", &stats.entropy_n),
        ("the logarithms of sums", &stats.log_sum_n),
        ("the gradient by log-probability", grad_logprob_n),
        ("the gradient by entropy", grad_entropy_n),
    ] {
        of_rows.expect_len(what, rows)?;
        of_rows.expect_dtype(what, Dtype::F32)?;
    }
    if rows == 0 && logits_nv.is_empty() {
        return Ok(());
    }
    let vocabulary = divide("the number of targets", logits_nv.len(), rows)?;
    let lanes = vector_size(client, logits_nv.dtype().size(), &[vocabulary]);
    let (count, dim) = elementwise(client, logits_nv.len() / lanes);
    // SAFETY: the kernel leaves out units beyond the end, and there is a number of each kind for every row.
    unsafe {
        backward::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            logits_nv.arg(),
            targets.arg(),
            stats.entropy_n.arg(),
            stats.log_sum_n.arg(),
            grad_logprob_n.arg(),
            grad_entropy_n.arg(),
            inverse_temperature,
            vocabulary / lanes,
            logits_nv.dtype().elem(),
        );
    }
    Ok(())
}

/// A workgroup reads one row. A unit keeps, over the logits z that it has seen, the largest t, the sum of e^(z - t)
/// and that of (z - t) e^(z - t), and corrects the sums when t grows.
#[cube(launch_unchecked)]
fn forward<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    targets: &[u32],
    logprob: &mut [f32],
    entropy: &mut [f32],
    log_sum: &mut [f32],
    inverse_temperature: f32,
    #[comptime] vectors: usize,
    rows: usize,
    #[comptime] plane: u32,
    #[define(F)] _storage: ElemType,
) {
    let mut scratch = Shared::new_slice(comptime!(UNITS as usize));
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let start = row * vectors;
    let scale = Vector::<f32, N>::new(inverse_temperature);
    let least = f32::new(-1e30);
    let mut top = least;
    let mut sum = Vector::<f32, N>::new(0.0f32);
    let mut weighted = Vector::<f32, N>::new(0.0f32);
    let mut column = UNIT_POS as usize;
    while column < vectors {
        // A logit of minus infinity weighs nothing, as does the start value, whose weight vanishes with the first.
        let z = max(Vector::cast_from(logits[start + column]) * scale, Vector::new(least));
        let mut higher = top;
        #[unroll]
        for i in 0..N::value() {
            higher = max(higher, z.extract(i));
        }
        let gap = top - higher;
        let kept = Vector::new(gap.exp());
        let shifted = z - Vector::new(higher);
        let weight = shifted.exp();
        weighted = kept * (weighted + Vector::new(gap) * sum) + weight * shifted;
        sum = sum * kept + weight;
        top = higher;
        column += comptime!(UNITS as usize);
    }
    let highest = team_max(top, &mut scratch, UNITS, plane);
    let gap = top - highest;
    let kept = gap.exp();
    let (sum, weighted) = (vector_total(sum), vector_total(weighted));
    let corrected = kept * (weighted + gap * sum);
    let sum = team_sum(sum * kept, &mut scratch, UNITS, plane);
    let weighted = team_sum(corrected, &mut scratch, UNITS, plane);
    if UNIT_POS == 0 {
        let target = targets[row] as usize;
        let of_vector = Vector::<f32, N>::cast_from(logits[start + target / N::value()]);
        let mut z = of_vector.extract(0usize);
        #[unroll]
        for i in 1..N::value() {
            if target % N::value() == i {
                z = of_vector.extract(i);
            }
        }
        let log = sum.ln();
        log_sum[row] = highest + log;
        logprob[row] = z * inverse_temperature - highest - log;
        // H = log(sum) - sum(p (z - top)).
        entropy[row] = log - weighted / sum;
    }
}

#[cube(launch_unchecked)]
fn backward<F: Float, N: Size>(
    logits: &mut [Vector<F, N>],
    targets: &[u32],
    entropy: &[f32],
    log_sum: &[f32],
    grad_logprob: &[f32],
    grad_entropy: &[f32],
    inverse_temperature: f32,
    #[comptime] vectors: usize,
    #[define(F)] _storage: ElemType,
) {
    if ABSOLUTE_POS >= logits.len() {
        terminate!();
    }
    let (row, column) = (ABSOLUTE_POS / vectors, ABSOLUTE_POS % vectors);
    let by_logprob = grad_logprob[row] * inverse_temperature;
    let by_entropy = grad_entropy[row] * inverse_temperature;
    let z = Vector::<f32, N>::cast_from(logits[ABSOLUTE_POS]) * Vector::new(inverse_temperature);
    let log_p = max(z - Vector::new(log_sum[row]), Vector::new(-1e30f32));
    let each = Vector::new(by_logprob) + Vector::new(by_entropy) * (log_p + Vector::new(entropy[row]));
    let mut by_logit = -(log_p.exp() * each);
    let target = targets[row] as usize;
    if target / N::value() == column {
        #[unroll]
        for i in 0..N::value() {
            if target % N::value() == i {
                by_logit.insert(i, by_logit.extract(i) + by_logprob);
            }
        }
    }
    logits[ABSOLUTE_POS] = Vector::cast_from(by_logit);
}
