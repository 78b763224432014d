//! SiLU times the up projection, forward and backward.

use super::element::Element;
use super::math::{sigmoid, vectorized};
use super::numbers::{Floats, Numbers};
use super::team::parts;

/// Elements a task takes.
const CHUNK: usize = 1 << 13;

/// `silu(gate) * up`, with silu(x) = x sigmoid(x).
pub fn swiglu(gate: Floats, up: Floats) -> Numbers {
    match gate {
        Floats::F32(gate) => gated(gate, &up.wide()).into(),
        Floats::Bf16(gate) => gated(gate, &up.narrow()).into(),
    }
}

fn gated<E: Element>(gate: &[E], up: &[E]) -> Vec<E> {
    let [out] = parts([(gate.len(), CHUNK)], |i, [out]| {
        let (gate, up) = (&gate[i * CHUNK..], &up[i * CHUNK..]);
        vectorized(
            #[inline(always)]
            || {
                for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                    let gate = gate.widen();
                    *out = E::round(gate * sigmoid(gate) * up.widen());
                }
            },
        );
    });
    out
}

/// Gradients of [`swiglu`] by `gate` and `up`, both stored as `gate` is.
pub fn swiglu_grad(gate: Floats, up: Floats, grad: &[f32]) -> [Numbers; 2] {
    match gate {
        Floats::F32(gate) => gated_grad(gate, &up.wide(), grad).map(Numbers::from),
        Floats::Bf16(gate) => gated_grad(gate, &up.narrow(), grad).map(Numbers::from),
    }
}

fn gated_grad<E: Element>(gate: &[E], up: &[E], grad: &[f32]) -> [Vec<E>; 2] {
    parts([(gate.len(), CHUNK); 2], |i, [dgate, dup]| {
        let (gate, up, grad) = (&gate[i * CHUNK..], &up[i * CHUNK..], &grad[i * CHUNK..]);
        vectorized(
            #[inline(always)]
            || {
                let outs = dgate.iter_mut().zip(dup);
                for ((dgate, dup), ((gate, up), &grad)) in outs.zip(gate.iter().zip(up).zip(grad)) {
                    let (gate, up) = (gate.widen(), up.widen());
                    let s = sigmoid(gate);
                    let silu = gate * s;
                    *dup = E::round(grad * silu);
                    *dgate = E::round(grad * up * (s + silu * (1.0 - s)));
                }
            },
        );
    })
}
