//! AdamW on flat slices, with PyTorch's arithmetic.

use crate::{BLOCK, BlocksMut, DynamicMap, GrpoError};

/// Settings of AdamW ("Decoupled Weight Decay Regularization", arXiv 1711.05101).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
    /// Decoupled: parameters shrink by `lr * weight_decay` a step, whatever the gradient.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

impl AdamWConfig {
    /// The constants of one step.
    ///
    /// # Arguments
    /// - `t`: number of the step, from 1 (0 is read as 1).
    /// - `lr`: this step's learning rate.
    /// - `grad_scale`: multiplies every gradient first: [`crate::clip_factor`], or 1.
    pub fn step(&self, t: u32, lr: f64, grad_scale: f64) -> AdamWStep {
        let t = f64::from(t.max(1));
        AdamWStep {
            grad_scale: grad_scale as f32,
            beta1: self.beta1 as f32,
            one_minus_beta1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            one_minus_beta2: (1.0 - self.beta2) as f32,
            keep: (1.0 - lr * self.weight_decay) as f32,
            step_size: (lr / (1.0 - self.beta1.powf(t))) as f32,
            inverse_root_correction: (1.0 / (1.0 - self.beta2.powf(t)).sqrt()) as f32,
            epsilon: self.epsilon as f32,
        }
    }
}

/// The constants of one step: made once, used for every slice of the parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    grad_scale: f32,
    beta1: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    keep: f32,
    step_size: f32,
    inverse_root_correction: f32,
    epsilon: f32,
}

/// One step in place, with `g` the scaled gradient:
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = (1 - lr wd) p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
///
/// Elements are independent of each other, so that parameters may be cut into slices at will and
/// worked on in parallel; the loop is written to be vectorised.
///
/// # Arguments
/// - `mean`, `mean_square`: the state `m` and `v`, zeros before the first step.
///
/// # Errors
/// [`GrpoError::LengthMismatch`] when the four slices differ in length; nothing is changed then.
pub fn adamw_step(
    param: &mut [f32],
    grad: &[f32],
    mean: &mut [f32],
    mean_square: &mut [f32],
    step: &AdamWStep,
) -> Result<(), GrpoError> {
    let expected = param.len();
    for (what, found) in [("grad", grad.len()), ("mean", mean.len()), ("mean_square", mean_square.len())] {
        if found != expected {
            return Err(GrpoError::LengthMismatch { what, sequence: 0, expected, found });
        }
    }
    let s = *step;
    let state = mean.iter_mut().zip(mean_square.iter_mut());
    for ((p, &g), (m, v)) in param.iter_mut().zip(grad).zip(state) {
        let g = g * s.grad_scale;
        *m = s.beta1 * *m + s.one_minus_beta1 * g;
        *v = s.beta2 * *v + s.one_minus_beta2 * (g * g);
        *p = s.keep * *p - s.step_size * (*m / (v.sqrt() * s.inverse_root_correction + s.epsilon));
    }
    Ok(())
}

/// [`adamw_step`] of moments in 8 bits, as bitsandbytes' `AdamW8bit`: a block's moments are read, the step is made with
/// them in f32, and they are quantised again.
///
/// # Arguments
/// - `mean`: of [`DynamicMap::signed`].
/// - `mean_square`: of [`DynamicMap::unsigned`].
///
/// # Errors
/// [`GrpoError::LengthMismatch`] when the slices, or the numbers of blocks, do not fit; nothing is changed then.
pub fn adamw_step_blockwise(
    param: &mut [f32],
    grad: &[f32],
    mean: BlocksMut<'_>,
    mean_square: BlocksMut<'_>,
    step: &AdamWStep,
) -> Result<(), GrpoError> {
    let (len, blocks) = (param.len(), param.len().div_ceil(BLOCK));
    let lengths = [
        ("grad", grad.len(), len),
        ("mean", mean.codes.len(), len),
        ("mean_square", mean_square.codes.len(), len),
        ("mean's scales", mean.scales.len(), blocks),
        ("mean_square's scales", mean_square.scales.len(), blocks),
    ];
    if let Some(&(what, found, expected)) = lengths.iter().find(|(_, found, expected)| found != expected) {
        return Err(GrpoError::LengthMismatch { what, sequence: 0, expected, found });
    }
    let (signed, unsigned) = (DynamicMap::signed(), DynamicMap::unsigned());
    let means = mean.codes.chunks_mut(BLOCK).zip(mean.scales);
    let squares = mean_square.codes.chunks_mut(BLOCK).zip(mean_square.scales);
    let (mut m, mut v) = ([0.0; BLOCK], [0.0; BLOCK]);
    for (((p, g), mean), square) in param.chunks_mut(BLOCK).zip(grad.chunks(BLOCK)).zip(means).zip(squares) {
        let (m, v) = (&mut m[..p.len()], &mut v[..p.len()]);
        signed.dequantize(mean.0, *mean.1, m);
        unsigned.dequantize(square.0, *square.1, v);
        adamw_step(p, g, m, v, step)?;
        *mean.1 = signed.quantize(m, mean.0);
        *square.1 = unsigned.quantize(v, square.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published algorithm in `f64`, one parameter.
    fn reference(param: f64, grads: &[f64], lr: f64, c: &AdamWConfig) -> f64 {
        let (mut p, mut m, mut v) = (param, 0.0, 0.0);
        for (i, g) in grads.iter().enumerate() {
            let t = (i + 1) as i32;
            m = c.beta1 * m + (1.0 - c.beta1) * g;
            v = c.beta2 * v + (1.0 - c.beta2) * g * g;
            let m_hat = m / (1.0 - c.beta1.powi(t));
            let v_hat: f64 = v / (1.0 - c.beta2.powi(t));
            p = p - lr * c.weight_decay * p - lr * m_hat / (v_hat.sqrt() + c.epsilon);
        }
        p
    }

    #[test]
    fn follows_the_published_algorithm() {
        let config = AdamWConfig { weight_decay: 0.1, ..AdamWConfig::default() };
        let grad_of = |i: usize, t: u32| ((i * 7 + t as usize * 13) % 23) as f64 * 0.1 - 1.0;
        let (n, steps, lr, scale) = (37, 20, 1e-2, 0.5);
        let start: Vec<f32> = (0..n).map(|i| i as f32 * 0.05 - 1.0).collect();
        let (mut p, mut m, mut v) = (start.clone(), vec![0.0; n], vec![0.0; n]);
        for t in 1..=steps {
            let grad: Vec<f32> = (0..n).map(|i| grad_of(i, t) as f32).collect();
            adamw_step(&mut p, &grad, &mut m, &mut v, &config.step(t, lr, scale)).unwrap();
        }
        for i in 0..n {
            let grads: Vec<f64> = (1..=steps).map(|t| grad_of(i, t) * scale).collect();
            let expected = reference(f64::from(start[i]), &grads, lr, &config);
            assert!((f64::from(p[i]) - expected).abs() < 2e-6, "{i}: {} {expected}", p[i]);
            assert!((f64::from(start[i]) - expected).abs() > 1e-4, "{i} must have moved");
        }
    }

    #[test]
    fn slices_that_do_not_fit_change_nothing() {
        let mut p = [1.0, 2.0];
        let step = AdamWConfig::default().step(1, 0.1, 1.0);
        let refused = adamw_step(&mut p, &[1.0, 1.0], &mut [0.0; 2], &mut [0.0; 1], &step);
        let expected = GrpoError::LengthMismatch { what: "mean_square", sequence: 0, expected: 2, found: 1 };
        assert_eq!(refused, Err(expected));
        assert_eq!(p, [1.0, 2.0]);
    }
}
