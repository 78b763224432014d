//! A step of AdamW.

/// The constants of one step of AdamW ("Decoupled Weight Decay Regularization", arXiv 1711.05101).
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

impl AdamWStep {
    /// What a parameter is multiplied by: `1 - lr wd`.
    pub fn keep(&self) -> f64 {
        1.0 - self.lr * self.weight_decay
    }

    /// `lr / (1 - b1^t)`.
    pub fn step_size(&self) -> f64 {
        self.lr / (1.0 - self.beta1.powf(f64::from(self.t.max(1))))
    }

    /// `1 / sqrt(1 - b2^t)`.
    pub fn root_correction(&self) -> f64 {
        1.0 / (1.0 - self.beta2.powf(f64::from(self.t.max(1)))).sqrt()
    }
}

/// A parameter with the means of its gradients and of their squares, in numbers of any kind `T`: f32, of one length.
#[derive(Clone, Debug)]
pub struct AdamWState<T> {
    /// The parameter in full precision.
    pub param: T,
    /// Mean of gradients, zeros before the first step.
    pub mean: T,
    /// Mean of squared gradients, zeros before the first step.
    pub mean_square: T,
}
