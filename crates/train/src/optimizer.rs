//! AdamW over every parameter, with clipping by the global norm.

use burn::tensor::Tensor;
use rayon::prelude::*;
use toolrl_grpo::{AdamWConfig, clip_factor, squared_norm};
use toolrl_policy::{AdamWStep, DeviceMoments, ParameterGradients, Policy, norm};

use crate::moments::{Moments, PART};
use crate::{OptimizerConfig, TrainError};

/// A model whose parameters an optimiser changes: a policy, or a critic as one.
pub(crate) trait Optimized {
    /// As [`Policy::update`].
    fn update(&mut self, change: impl FnMut(usize, &mut [f32]));

    /// As [`Policy::adamw`].
    fn adamw(&mut self, gradients: Vec<Tensor<1>>, moments: &mut DeviceMoments, step: &AdamWStep, scale: f32);

    /// As [`Policy::checksums`].
    fn checksums(&self) -> Option<Vec<u32>>;
}

impl Optimized for Policy {
    fn update(&mut self, change: impl FnMut(usize, &mut [f32])) {
        self.update(change);
    }

    fn adamw(
        &mut self,
        gradients: Vec<Tensor<1>>,
        moments: &mut DeviceMoments,
        step: &AdamWStep,
        scale: f32,
    ) {
        self.adamw(gradients, moments, step, scale);
    }

    fn checksums(&self) -> Option<Vec<u32>> {
        self.checksums()
    }
}

/// The optimiser's state: two moments a parameter, where the gradients are.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    moments: StoredMoments,
    updates: u32,
}

/// Moments as the gradients are.
#[derive(Debug)]
enum StoredMoments {
    /// On the CPU; empty before the first update.
    Numbers(Vec<Moments>),
    /// On a GPU.
    Tensors(DeviceMoments),
}

/// Why an update was refused. The model and the optimiser are as they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// The gradient has no finite norm.
    NotFinite(f64),
    /// Its norm is above the limit.
    AboveLimit(f64),
}

impl Refused {
    /// The error of a step whose greatest norm was `limit`.
    pub(crate) fn at(self, step: u64, limit: f64) -> TrainError {
        match self {
            Self::NotFinite(norm) => TrainError::Gradient { step, norm },
            Self::AboveLimit(norm) => TrainError::Spike { step, norm, limit },
        }
    }
}

/// Gradients as a step takes them.
pub(crate) enum Gradients {
    /// On the CPU.
    Numbers(Vec<Vec<f32>>),
    /// On a GPU.
    Tensors(Vec<Tensor<1>>),
}

impl From<ParameterGradients> for Gradients {
    fn from(gradients: ParameterGradients) -> Self {
        match gradients.into_tensors() {
            Ok(tensors) => Self::Tensors(tensors),
            Err(gradients) => Self::Numbers(gradients.into_values()),
        }
    }
}

impl Gradients {
    /// Their norm, which an update may have: it is finite and at most `limit`.
    pub(crate) fn norm(&self, limit: f64) -> Result<f64, Refused> {
        let norm = match self {
            Self::Tensors(gradients) => norm(gradients),
            Self::Numbers(gradients) => {
                // Added up in one order, whatever the number of threads.
                let parts: Vec<&[f32]> = gradients.iter().flat_map(|g| g.chunks(PART)).collect();
                let squares: Vec<f64> = parts.into_par_iter().map(squared_norm).collect();
                squares.iter().sum::<f64>().sqrt()
            }
        };
        if !norm.is_finite() {
            return Err(Refused::NotFinite(norm));
        }
        if norm > limit { Err(Refused::AboveLimit(norm)) } else { Ok(norm) }
    }
}

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        Self { config, moments: StoredMoments::default(), updates: 0 }
    }

    /// One of the same settings that has made no step.
    pub(crate) fn fresh(&self) -> Self {
        Self::new(self.config.clone())
    }

    /// The learning rate of a step (from 0) of a run of `steps`.
    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.config.lr * self.config.schedule.factor(step as usize, steps as usize)
    }

    /// Changes a model by gradients of this norm; the checksum of all values after the update: the CRC-32C of the parts'
    /// own, which on a GPU are another sum than on the CPU.
    pub(crate) fn step(
        &mut self,
        gradients: Gradients,
        norm: f64,
        lr: f64,
        model: &mut impl Optimized,
    ) -> u32 {
        self.updates += 1;
        let scale = clip_factor(norm, self.config.max_grad_norm);
        match gradients {
            Gradients::Tensors(gradients) => self.step_tensors(gradients, lr, scale as f32, model),
            Gradients::Numbers(gradients) => self.step_numbers(&gradients, lr, scale, model),
        }
    }

    /// On a GPU, of which the checksum comes to the host.
    fn step_tensors(
        &mut self,
        gradients: Vec<Tensor<1>>,
        lr: f64,
        scale: f32,
        model: &mut impl Optimized,
    ) -> u32 {
        if let StoredMoments::Numbers(moments) = &mut self.moments {
            let moments: Vec<_> = std::mem::take(moments).into_iter().map(Moments::into_full).collect();
            self.moments = StoredMoments::Tensors(DeviceMoments::new(&moments, &gradients));
        }
        let AdamWConfig { beta1, beta2, epsilon, weight_decay } = self.config.adamw;
        let step = AdamWStep { t: self.updates, lr, beta1, beta2, epsilon, weight_decay };
        if let StoredMoments::Tensors(moments) = &mut self.moments {
            model.adamw(gradients, moments, &step, scale);
        }
        Self::checksum(model)
    }

    fn step_numbers(
        &mut self,
        gradients: &[Vec<f32>],
        lr: f64,
        scale: f64,
        model: &mut impl Optimized,
    ) -> u32 {
        let mut moments = std::mem::take(&mut self.moments).into_values();
        if moments.is_empty() {
            moments = gradients.iter().map(|g| Moments::zeros(g.len(), self.config.moments)).collect();
        }
        let step = self.config.adamw.step(self.updates, lr, scale);
        let (mut fits, mut checksum) = (true, 0);
        model.update(|i, values| {
            for part in moments[i].step(values, &gradients[i], &step, checksum_of_part) {
                fits &= part.is_some();
                checksum = crc32c::crc32c_append(checksum, &part.unwrap_or_default().to_le_bytes());
            }
        });
        self.moments = StoredMoments::Numbers(moments);
        debug_assert!(fits, "gradients and moments have their parameters' shapes");
        checksum
    }

    /// What [`Optimizer::step`] gives for a model's present values.
    pub(crate) fn checksum(model: &mut impl Optimized) -> u32 {
        let append = |all, part: u32| crc32c::crc32c_append(all, &part.to_le_bytes());
        if let Some(parts) = model.checksums() {
            return parts.into_iter().fold(0, append);
        }
        let mut checksum = 0;
        model.update(|_, values| {
            let parts: Vec<u32> = values.par_chunks(PART).map(checksum_of_part).collect();
            checksum = parts.into_iter().fold(checksum, append);
        });
        checksum
    }

    /// How many updates it has made.
    pub(crate) fn updates(&self) -> u32 {
        self.updates
    }

    /// The moments of every parameter, and the number of updates.
    pub(crate) fn state(&self) -> (Vec<Moments>, u32) {
        let moments = match &self.moments {
            StoredMoments::Numbers(moments) => moments.clone(),
            StoredMoments::Tensors(moments) => of_device(moments),
        };
        (moments, self.updates)
    }

    /// Puts them back.
    pub(crate) fn restore(&mut self, moments: Vec<Moments>, updates: u32) {
        (self.moments, self.updates) = (StoredMoments::Numbers(moments), updates);
    }
}

impl Default for StoredMoments {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl StoredMoments {
    /// The moments as numbers.
    fn into_values(self) -> Vec<Moments> {
        match self {
            Self::Numbers(moments) => moments,
            Self::Tensors(moments) => of_device(&moments),
        }
    }
}

fn of_device(moments: &DeviceMoments) -> Vec<Moments> {
    moments.values().into_iter().map(|(mean, square)| Moments::Full(mean, square)).collect()
}

fn checksum_of_part(values: &[f32]) -> u32 {
    crc32c::crc32c(bytemuck::cast_slice(values))
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
