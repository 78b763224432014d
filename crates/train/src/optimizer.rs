//! AdamW over every parameter, with clipping by the global norm.

use rayon::prelude::*;
use toolrl_grpo::{adamw_step, clip_factor, squared_norm};

use crate::OptimizerConfig;

/// Elements that one thread takes at a time.
pub(crate) const PART: usize = 1 << 16;

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

    /// Changes a model by its gradients, and returns their norm before clipping. `update` hands over each parameter's
    /// number and values.
    pub(crate) fn step(
        &mut self,
        gradients: &[Vec<f32>],
        lr: f64,
        update: impl FnOnce(&mut dyn FnMut(usize, &mut [f32])),
    ) -> Result<f64, NotFinite> {
        // Added up in one order, whatever the number of threads.
        let parts: Vec<&[f32]> = gradients.iter().flat_map(|g| g.chunks(PART)).collect();
        let squares: Vec<f64> = parts.into_par_iter().map(squared_norm).collect();
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(NotFinite(norm));
        }
        if self.moments.is_empty() {
            self.moments = gradients.iter().map(|g| (vec![0.0; g.len()], vec![0.0; g.len()])).collect();
        }
        self.updates += 1;
        let step = self.config.adamw.step(self.updates, lr, clip_factor(norm, self.config.max_grad_norm));
        let mut fits = true;
        update(&mut |i, values| {
            let (mean, mean_square) = &mut self.moments[i];
            let state = mean.par_chunks_mut(PART).zip(mean_square.par_chunks_mut(PART));
            let parts = values.par_chunks_mut(PART).zip(gradients[i].par_chunks(PART)).zip(state);
            fits &= parts.all(|((p, g), (m, v))| adamw_step(p, g, m, v, &step).is_ok());
        });
        debug_assert!(fits, "gradients and moments have their parameters' shapes");
        Ok(norm)
    }
}
