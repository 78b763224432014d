//! The trainer's hold on the policy: log-probabilities of packs, gradients, updates.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use toolrl_data::random::mix;
use toolrl_policy::{Activations, Derivatives, PassSettings, Policy};

use crate::checkpoint::State;
use crate::guard::Guard;
use crate::pack::Pack;
use crate::replicas::Replicas;
use crate::{OptimizerConfig, TrainError};

/// What a loss says of one pack, reply after reply in the pack's order.
pub(crate) struct PackLoss {
    /// The pack's share of the batch's loss.
    pub loss: f64,
    pub derivatives: Derivatives,
}

/// What one update was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Update {
    pub loss: f64,
    pub grad_norm: f64,
    pub tokens: u64,
    /// Clipping and AdamW.
    pub optimizer_seconds: f64,
    /// Whether a guard left it out.
    pub skipped: bool,
}

/// A policy in training.
pub(crate) struct Learner {
    replicas: Replicas<Policy>,
    activations: Activations,
    inverse_temperature: f32,
    guard: Guard,
    /// The run's seed: adapters' dropout follows from it.
    seed: u64,
    /// The checksum of the trained values after the last update.
    weights: Option<u32>,
}

impl Learner {
    /// `temperature` is the sampling temperature: log-probabilities are those of the tempered
    /// policy, which is what was sampled from.
    pub(crate) fn new(
        policy: Policy,
        config: OptimizerConfig,
        activations: Activations,
        temperature: f32,
        guard: Guard,
    ) -> Self {
        let inverse_temperature = if temperature > 0.0 { 1.0 / temperature } else { 1.0 };
        Self {
            replicas: Replicas::new(policy, config),
            activations,
            inverse_temperature,
            guard,
            seed: 0,
            weights: None,
        }
    }

    /// The same with the run's seed.
    pub(crate) fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same on these further devices too, before its first update ([`Replicas::and_on`]).
    pub(crate) fn and_on(self, further: &[Device]) -> Self {
        Self { replicas: self.replicas.and_on(further), ..self }
    }

    /// The policy, that of the first device.
    pub(crate) fn policy(&self) -> &Policy {
        self.replicas.model()
    }

    /// How many devices train it.
    pub(crate) fn devices(&self) -> usize {
        self.replicas.devices()
    }

    /// The checksum of the trained values after the last update.
    pub(crate) fn weights(&self) -> Option<u32> {
        self.weights
    }

    /// All that a checkpoint needs beside the policy's directory.
    pub(crate) fn state(&self) -> State {
        State { norms: self.guard.norms(), weights: self.weights, ..self.replicas.state() }
    }

    /// Puts it back.
    pub(crate) fn restore(&mut self, state: State) -> Result<(), TrainError> {
        let State { values, moments, updates, norms, weights } = state;
        self.replicas.restore(&values, moments, updates)?;
        self.guard.restore(norms);
        self.weights = weights;
        Ok(())
    }

    pub(crate) fn into_policy(self) -> Policy {
        self.replicas.into_model()
    }

    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.replicas.optimizer().lr(step, steps)
    }

    /// Log-probabilities of a pack's reply tokens under another policy, the frozen reference.
    pub(crate) fn logprobs_under(&self, reference: &Policy, pack: &Pack) -> Vec<f32> {
        floats(reference.logprobs(&pack.pass, self.inverse_temperature).narrow(0, 0, 1))
    }

    /// Seconds that the guards take of an update: the checksum of the trained values and the limit of a gradient's
    /// norm, both computed once more by themselves.
    pub(crate) fn guard_seconds(&mut self) -> f64 {
        let begin = Instant::now();
        let weights = self.replicas.present_checksum();
        debug_assert!(self.weights.is_none_or(|last| last == weights), "no update was made since");
        std::hint::black_box((weights, self.guard.limit()));
        begin.elapsed().as_secs_f64()
    }

    /// One optimiser step over `packs`: `loss` is asked for each pack's loss and derivatives, given
    /// the tokens' log-probabilities and entropies.
    pub(crate) fn update(
        &mut self,
        step: u64,
        packs: &[Pack],
        lr: f64,
        loss: impl FnMut(&Pack, &[f32], &[f32]) -> Result<PackLoss, TrainError>,
    ) -> Result<Update, TrainError> {
        let updated = self.try_update(step, packs, lr, loss);
        self.policy().forget_prompts();
        match updated {
            Ok(update) => Ok(update),
            Err(error) if error.is_fault() => {
                self.guard.fault(step, packs, error)?;
                Ok(Update { skipped: true, ..Update::default() })
            }
            Err(error) => Err(error),
        }
    }

    fn try_update(
        &mut self,
        step: u64,
        packs: &[Pack],
        lr: f64,
        mut loss: impl FnMut(&Pack, &[f32], &[f32]) -> Result<PackLoss, TrainError>,
    ) -> Result<Update, TrainError> {
        let mut update = Update::default();
        let (seed, updates) = (self.seed, self.replicas.optimizer().updates());
        let (inverse_temperature, activations) = (self.inverse_temperature, self.activations);
        let settings = |number| PassSettings {
            inverse_temperature,
            activations,
            seed: pass_seed(seed, updates, number),
        };
        let gradients = self.replicas.gradients(packs, settings, |pack, numbers| {
            let (logp, entropy) = numbers.split_at(numbers.len() / 2);
            let PackLoss { loss, derivatives } = loss(pack, logp, entropy)?;
            update.loss += loss;
            update.tokens += logp.len() as u64;
            Ok::<_, TrainError>([derivatives.by_logp, derivatives.by_entropy].concat())
        })?;
        let Some(gradients) = gradients else { return Ok(update) };
        let begin = Instant::now();
        let limit = self.guard.limit();
        let stepped = self.replicas.step(gradients, lr, limit);
        update.optimizer_seconds = begin.elapsed().as_secs_f64();
        let stepped = stepped.map_err(|refused| refused.at(step, limit))?;
        let checksum = stepped.checksum(step)?;
        let before = self.weights.replace(checksum);
        if lr > 0.0 && stepped.norm > 0.0 && before == Some(checksum) {
            return Err(TrainError::Unchanged { step, norm: stepped.norm });
        }
        self.guard.passed(stepped.norm);
        update.grad_norm = stepped.norm;
        Ok(update)
    }
}

/// What a pass drops follows from the run, the update and the pack.
fn pass_seed(run: u64, update: u32, pack: u64) -> u64 {
    mix(mix(mix(run) ^ u64::from(update)) ^ pack)
}

fn floats<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    // The decoder computes in f32, so the conversion moves and cannot fail.
    t.into_data().try_into_vec_as().unwrap_or_default()
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
