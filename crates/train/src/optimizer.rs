//! AdamW over every parameter, with clipping by the global norm.

use toolrl_grpo::{adamw_step, clip_factor, squared_norm};
use toolrl_policy::Policy;

use crate::OptimizerConfig;

/// The optimiser's state: two moments a parameter, in f32.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    moments: Vec<(Vec<f32>, Vec<f32>)>,
    updates: u32,
}

/// A gradient without a finite norm.
#[derive(Debug, PartialEq)]
pub(crate) struct NotFinite(pub f64);

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        Self { config, moments: Vec::new(), updates: 0 }
    }

    /// The learning rate of a step (from 0) of a run of `steps`.
    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.config.lr * self.config.schedule.factor(step as usize, steps as usize)
    }

    /// Changes the policy by its gradients, and returns their norm before clipping.
    pub(crate) fn step(
        &mut self,
        policy: &mut Policy,
        gradients: &[Vec<f32>],
        lr: f64,
    ) -> Result<f64, NotFinite> {
        let norm = gradients.iter().map(|g| squared_norm(g)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(NotFinite(norm));
        }
        if self.moments.is_empty() {
            self.moments = gradients.iter().map(|g| (vec![0.0; g.len()], vec![0.0; g.len()])).collect();
        }
        self.updates += 1;
        let step = self.config.adamw.step(self.updates, lr, clip_factor(norm, self.config.max_grad_norm));
        let mut fits = true;
        policy.update(|i, values| {
            let (mean, mean_square) = &mut self.moments[i];
            fits &= adamw_step(values, &gradients[i], mean, mean_square, &step).is_ok();
        });
        debug_assert!(fits, "gradients and moments have their parameters' shapes");
        Ok(norm)
    }
}
