//! SiLU times the up projection, forward and backward.

use super::math::{sigmoid, vectorized};
use super::team::parts;

/// Elements a task takes.
const CHUNK: usize = 1 << 13;

/// `silu(gate) * up`, with silu(x) = x sigmoid(x).
pub fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let [out] = parts([(gate.len(), CHUNK)], |i, [out]| {
        let (gate, up) = (&gate[i * CHUNK..], &up[i * CHUNK..]);
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
pub fn swiglu_grad(gate: &[f32], up: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let [dgate, dup] = parts([(gate.len(), CHUNK); 2], |i, [dgate, dup]| {
        let [gate, up, grad] = [gate, up, grad].map(|x| &x[i * CHUNK..]);
        vectorized(
            #[inline(always)]
            || {
                let outs = dgate.iter_mut().zip(dup);
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
