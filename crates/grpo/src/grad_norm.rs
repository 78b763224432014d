//! The gradient's global norm and the factor that limits it.

/// Sum of squares. The square root of the sum over all gradients of a model is its global norm.
///
/// Squares of blocks of 1,024 values are summed in `f32` lanes and the blocks in `f64`: fast, and exact
/// to about 1e-6 whatever the length.
pub fn squared_norm(grad: &[f32]) -> f64 {
    grad.chunks(1024).map(|block| f64::from(block_squares(block))).sum()
}

fn block_squares(block: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0_f32; LANES];
    let chunks = block.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|g| g * g).sum();
    for chunk in chunks {
        for (lane, g) in lanes.iter_mut().zip(chunk) {
            *lane += g * g;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// What gradients are multiplied by so that their global norm is at most `max_norm`:
/// `min(1, max_norm / (norm + 1e-6))`, as PyTorch's `clip_grad_norm_` has it.
///
/// A norm that is NaN gives NaN: the caller reports it; nothing is hidden.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    let factor = max_norm / (norm + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_is_exact_for_any_length() {
        for n in [0, 1, 15, 16, 17, 1023, 1024, 1025, 100_003] {
            let grad: Vec<f32> = (0..n).map(|i| ((i % 101) as f32 - 50.0) * 0.01).collect();
            let expected: f64 = grad.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
            let found = squared_norm(&grad);
            assert!((found - expected).abs() <= 1e-6 * expected, "{n}: {found} {expected}");
        }
    }

    #[test]
    fn clips_only_large_norms() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        assert!((clip_factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert!(clip_factor(f64::NAN, 1.0).is_nan());
        assert_eq!(clip_factor(f64::INFINITY, 1.0), 0.0);
    }
}
