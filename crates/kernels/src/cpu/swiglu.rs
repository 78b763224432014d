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
                for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                    *out = gate * sigmoid(gate) * up;
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
                let outs = dgate.iter_mut().zip(dup.iter_mut());
                for ((dgate, dup), ((&gate, &up), &grad)) in outs.zip(gate.iter().zip(up).zip(grad)) {
                    let s = sigmoid(gate);
                    let silu = gate * s;
                    *dup = grad * silu;
                    *dgate = grad * up * (s + silu * (1.0 - s));
                }
            },
        );
    });
    (dgate, dup)
}
