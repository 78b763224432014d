//! SiLU times the up projection, forward and backward.

use rayon::prelude::*;

use super::math::{sigmoid, vectorized};

/// Elements a task takes.
const CHUNK: usize = 1 << 16;

/// `silu(gate) * up`, with silu(x) = x sigmoid(x).
pub(crate) fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; gate.len()];
    let tasks = out.par_chunks_mut(CHUNK).zip(gate.par_chunks(CHUNK)).zip(up.par_chunks(CHUNK));
    tasks.for_each(|((out, gate), up)| {
        vectorized(
            #[inline(always)]
            || {
                for i in 0..out.len() {
                    out[i] = gate[i] * sigmoid(gate[i]) * up[i];
                }
            },
        );
    });
    out
}

/// Gradients of [`swiglu`] by `gate` and `up`.
pub(crate) fn swiglu_grad(gate: &[f32], up: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut dgate, mut dup) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
    let outs = dgate.par_chunks_mut(CHUNK).zip(dup.par_chunks_mut(CHUNK));
    let ins = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK)).zip(grad.par_chunks(CHUNK));
    outs.zip(ins).for_each(|((dgate, dup), ((gate, up), grad))| {
        vectorized(
            #[inline(always)]
            || {
                for i in 0..dgate.len() {
                    let s = sigmoid(gate[i]);
                    let silu = gate[i] * s;
                    dup[i] = grad[i] * silu;
                    dgate[i] = grad[i] * up[i] * (s + silu * (1.0 - s));
                }
            },
        );
    });
    (dgate, dup)
}
