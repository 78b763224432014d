//! AdamW over every parameter, with clipping by the global norm.

use rayon::prelude::*;
use toolrl_grpo::{adamw_step, clip_factor, squared_norm};

use crate::OptimizerConfig;

/// Elements that one thread takes at a time.
const PART: usize = 1 << 16;

/// AdamW's two moments of a parameter: of its gradient, and of the gradient's square.
pub(crate) type Moments = (Vec<f32>, Vec<f32>);

/// The optimiser's state: two moments a parameter, in f32.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    moments: Vec<Moments>,
    updates: u32,
}

/// Why an update was refused. The model and the optimiser are as they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// The gradient has no finite norm.
    NotFinite(f64),
    /// Its norm is above the limit.
    AboveLimit(f64),
}

/// An update that was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stepped {
    /// The gradient's norm before clipping.
    pub norm: f64,
    /// The checksum of all values after the update: the CRC-32C of the parts' own.
    pub weights: u32,
}

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        Self { config, moments: Vec::new(), updates: 0 }
    }

    /// The learning rate of a step (from 0) of a run of `steps`.
    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.config.lr * self.config.schedule.factor(step as usize, steps as usize)
    }

    /// Changes a model by its gradients, unless their norm is above `limit`. `update` hands over each parameter's number
    /// and values.
    pub(crate) fn step(
        &mut self,
        gradients: &[Vec<f32>],
        lr: f64,
        limit: f64,
        update: impl FnOnce(&mut dyn FnMut(usize, &mut [f32])),
    ) -> Result<Stepped, Refused> {
        // Added up in one order, whatever the number of threads.
        let parts: Vec<&[f32]> = gradients.iter().flat_map(|g| g.chunks(PART)).collect();
        let squares: Vec<f64> = parts.into_par_iter().map(squared_norm).collect();
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Refused::NotFinite(norm));
        }
        if norm > limit {
            return Err(Refused::AboveLimit(norm));
        }
        if self.moments.is_empty() {
            self.moments = gradients.iter().map(|g| (vec![0.0; g.len()], vec![0.0; g.len()])).collect();
        }
        self.updates += 1;
        let step = self.config.adamw.step(self.updates, lr, clip_factor(norm, self.config.max_grad_norm));
        let (mut fits, mut weights) = (true, 0);
        update(&mut |i, values| {
            let (mean, mean_square) = &mut self.moments[i];
            let state = mean.par_chunks_mut(PART).zip(mean_square.par_chunks_mut(PART));
            let parts = values.par_chunks_mut(PART).zip(gradients[i].par_chunks(PART)).zip(state);
            let updated = parts.map(|((p, g), (m, v))| {
                let fits = adamw_step(p, g, m, v, &step).is_ok();
                (fits, checksum_of_part(p))
            });
            for (part_fits, crc) in updated.collect::<Vec<_>>() {
                fits &= part_fits;
                weights = crc32c::crc32c_append(weights, &crc.to_le_bytes());
            }
        });
        debug_assert!(fits, "gradients and moments have their parameters' shapes");
        Ok(Stepped { norm, weights })
    }

    /// What [`Stepped::weights`] is of a model's present values, which `read` hands over as `update` does.
    pub(crate) fn checksum(read: impl FnOnce(&mut dyn FnMut(usize, &mut [f32]))) -> u32 {
        let mut weights = 0;
        read(&mut |_, values| {
            let parts: Vec<u32> = values.par_chunks(PART).map(checksum_of_part).collect();
            weights = parts.iter().fold(weights, |all, part| crc32c::crc32c_append(all, &part.to_le_bytes()));
        });
        weights
    }

    /// The moments of every parameter, and the number of updates.
    pub(crate) fn state(&self) -> (&[Moments], u32) {
        (&self.moments, self.updates)
    }

    /// Puts them back.
    pub(crate) fn restore(&mut self, moments: Vec<Moments>, updates: u32) {
        (self.moments, self.updates) = (moments, updates);
    }
}

fn checksum_of_part(values: &[f32]) -> u32 {
    crc32c::crc32c(bytemuck::cast_slice(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_s_checksum_is_that_of_the_values() {
        let mut optimizer = Optimizer::new(OptimizerConfig::default());
        let mut values = [vec![1.0; PART + 5], vec![0.5; 3]];
        let gradients = [vec![0.1; PART + 5], vec![-0.2; 3]];
        let mut each = |change: &mut dyn FnMut(usize, &mut [f32])| {
            values.iter_mut().enumerate().for_each(|(i, values)| change(i, values));
        };
        let stepped = optimizer.step(&gradients, 0.1, f64::INFINITY, &mut each).unwrap();
        assert_eq!(Optimizer::checksum(&mut each), stepped.weights);
        values[1][2] += 1.0;
        let changed = Optimizer::checksum(|read| {
            values.iter_mut().enumerate().for_each(|(i, values)| read(i, values));
        });
        assert_ne!(changed, stepped.weights);
    }
}
