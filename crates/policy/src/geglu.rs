//! Gemma's gate, of plain operations.

use burn::tensor::{FloatDType, Tensor, activation};

/// `gelu(gate) * up` with the approximation by tanh, which is `g sigmoid(2 sqrt(2/pi) (g + 0.044715 g^3))` (Hendrycks and
/// Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415; Shazeer, arXiv 2002.05202). Computed in f32.
///
/// # Shapes
/// Both `[t, i]`, as the result.
pub(crate) fn geglu(gate_ti: Tensor<2>, up_ti: Tensor<2>) -> Tensor<2> {
    let twice = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let stored = FloatDType::from(gate_ti.dtype());
    let gate = gate_ti.cast(FloatDType::F32);
    let inner = gate.clone() * (gate.clone() * gate.clone() * (0.044_715 * twice) + twice);
    (gate * activation::sigmoid(inner) * up_ti.cast(FloatDType::F32)).cast(stored)
}
