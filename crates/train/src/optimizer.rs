//! AdamW over every parameter, with clipping by the global norm.

use std::sync::Arc;

use burn::tensor::Tensor;
use rayon::prelude::*;
use toolrl_grpo::{AdamWConfig, adamw_step, clip_factor, squared_norm};
use toolrl_policy::{AdamWStep, Critic, DeviceMoments, ParameterGradients, Policy, norm};

use crate::OptimizerConfig;

/// Elements that one thread takes at a time.
const PART: usize = 1 << 16;

/// AdamW's two moments of a parameter: of its gradient, and of the gradient's square.
pub(crate) type Moments = (Vec<f32>, Vec<f32>);

/// What an optimiser changes: a policy, or a critic.
pub(crate) trait Trained {
    /// As [`Policy::update`].
    fn update(&mut self, change: impl FnMut(usize, &mut [f32]));

    /// As [`Policy::adamw`].
    fn adamw(&mut self, gradients: Vec<Tensor<1>>, moments: &mut DeviceMoments, step: &AdamWStep);

    /// As [`Policy::checksums`].
    fn checksums(&self) -> Option<Vec<u32>>;
}

impl Trained for Policy {
    fn update(&mut self, change: impl FnMut(usize, &mut [f32])) {
        self.update(change);
    }

    fn adamw(&mut self, gradients: Vec<Tensor<1>>, moments: &mut DeviceMoments, step: &AdamWStep) {
        self.adamw(gradients, moments, step);
    }

    fn checksums(&self) -> Option<Vec<u32>> {
        self.checksums()
    }
}

impl Trained for Critic {
    fn update(&mut self, change: impl FnMut(usize, &mut [f32])) {
        self.update(change);
    }

    fn adamw(&mut self, gradients: Vec<Tensor<1>>, moments: &mut DeviceMoments, step: &AdamWStep) {
        self.adamw(gradients, moments, step);
    }

    fn checksums(&self) -> Option<Vec<u32>> {
        self.checksums()
    }
}

/// The optimiser's state: two moments a parameter, in f32, where the gradients are.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    moments: State,
    updates: u32,
}

#[derive(Debug)]
enum State {
    /// Empty before the first update.
    Here(Vec<Moments>),
    /// On a GPU.
    There(DeviceMoments),
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
    /// The checksum of all values after the update: the CRC-32C of the parts' own, which on a GPU are another sum than on
    /// the CPU.
    pub weights: u32,
}

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        Self { config, moments: State::default(), updates: 0 }
    }

    /// The learning rate of a step (from 0) of a run of `steps`.
    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.config.lr * self.config.schedule.factor(step as usize, steps as usize)
    }

    /// Changes a model by its gradients, unless their norm is above `limit`.
    pub(crate) fn step(
        &mut self,
        gradients: ParameterGradients,
        lr: f64,
        limit: f64,
        model: &mut impl Trained,
    ) -> Result<Stepped, Refused> {
        match gradients.into_tensors() {
            Ok(gradients) => self.step_there(gradients, lr, limit, model),
            Err(gradients) => self.step_here(&gradients.into_values(), lr, limit, model),
        }
    }

    /// On a GPU, of which the norm and the checksum come to the host.
    fn step_there(
        &mut self,
        gradients: Vec<Tensor<1>>,
        lr: f64,
        limit: f64,
        model: &mut impl Trained,
    ) -> Result<Stepped, Refused> {
        let norm = accepted(norm(&gradients), limit)?;
        if let State::Here(moments) = &self.moments {
            self.moments = State::There(DeviceMoments::new(moments, &gradients));
        }
        self.updates += 1;
        let AdamWConfig { beta1, beta2, epsilon, weight_decay } = self.config.adamw;
        let grad_scale = Arc::new(clip_factor(norm, self.config.max_grad_norm) as f32);
        let step = AdamWStep { t: self.updates, lr, beta1, beta2, epsilon, weight_decay, grad_scale };
        if let State::There(moments) = &mut self.moments {
            model.adamw(gradients, moments, &step);
        }
        Ok(Stepped { norm, weights: Self::checksum(model) })
    }

    fn step_here(
        &mut self,
        gradients: &[Vec<f32>],
        lr: f64,
        limit: f64,
        model: &mut impl Trained,
    ) -> Result<Stepped, Refused> {
        // Added up in one order, whatever the number of threads.
        let parts: Vec<&[f32]> = gradients.iter().flat_map(|g| g.chunks(PART)).collect();
        let squares: Vec<f64> = parts.into_par_iter().map(squared_norm).collect();
        let norm = accepted(squares.iter().sum::<f64>().sqrt(), limit)?;
        let mut moments = std::mem::take(&mut self.moments).into_values();
        if moments.is_empty() {
            moments = gradients.iter().map(|g| (vec![0.0; g.len()], vec![0.0; g.len()])).collect();
        }
        self.updates += 1;
        let step = self.config.adamw.step(self.updates, lr, clip_factor(norm, self.config.max_grad_norm));
        let (mut fits, mut weights) = (true, 0);
        model.update(|i, values| {
            let (mean, mean_square) = &mut moments[i];
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
        self.moments = State::Here(moments);
        debug_assert!(fits, "gradients and moments have their parameters' shapes");
        Ok(Stepped { norm, weights })
    }

    /// What [`Stepped::weights`] is of a model's present values.
    pub(crate) fn checksum(model: &mut impl Trained) -> u32 {
        let append = |all, part: u32| crc32c::crc32c_append(all, &part.to_le_bytes());
        if let Some(parts) = model.checksums() {
            return parts.into_iter().fold(0, append);
        }
        let mut weights = 0;
        model.update(|_, values| {
            let parts: Vec<u32> = values.par_chunks(PART).map(checksum_of_part).collect();
            weights = parts.into_iter().fold(weights, append);
        });
        weights
    }

    /// The moments of every parameter, and the number of updates.
    pub(crate) fn state(&self) -> (Vec<Moments>, u32) {
        let moments = match &self.moments {
            State::Here(moments) => moments.clone(),
            State::There(moments) => moments.values(),
        };
        (moments, self.updates)
    }

    /// Puts them back.
    pub(crate) fn restore(&mut self, moments: Vec<Moments>, updates: u32) {
        (self.moments, self.updates) = (State::Here(moments), updates);
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Here(Vec::new())
    }
}

impl State {
    /// The moments as numbers.
    fn into_values(self) -> Vec<Moments> {
        match self {
            Self::Here(moments) => moments,
            Self::There(moments) => moments.values(),
        }
    }
}

/// A norm that an update may have.
fn accepted(norm: f64, limit: f64) -> Result<f64, Refused> {
    if !norm.is_finite() {
        return Err(Refused::NotFinite(norm));
    }
    if norm > limit { Err(Refused::AboveLimit(norm)) } else { Ok(norm) }
}

fn checksum_of_part(values: &[f32]) -> u32 {
    crc32c::crc32c(bytemuck::cast_slice(values))
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
