//! The trainer's hold on the critic: values of packs, gradients, updates.

use burn::tensor::Device;
use toolrl_grpo::{BatchExtent, ValueSequence, value_loss};
use toolrl_policy::{Activations, Critic, PassSettings, Policy};

use crate::checkpoint::State;
use crate::guard::Guard;
use crate::learner::Update;
use crate::pack::{Pack, Place};
use crate::replicas::Replicas;
use crate::{CriticConfig, TrainError};

/// A critic in training.
pub(crate) struct CriticLearner {
    replicas: Replicas<Critic>,
    activations: Activations,
    value_clip: f64,
    guard: Guard,
}

/// What the critic learns of one member.
pub(crate) struct Target {
    /// Its values before the step's first update.
    pub old_values: Vec<f32>,
    pub returns: Vec<f64>,
}

/// An update of the critic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CriticUpdate {
    pub update: Update,
    /// Tokens whose value the clip held back.
    pub clipped: usize,
}

impl CriticLearner {
    /// A critic that begins with the policy's weights.
    pub(crate) fn of(policy: &Policy, config: &CriticConfig, activations: Activations, guard: Guard) -> Self {
        let replicas = Replicas::new(Critic::of(policy), config.optimizer.clone());
        Self { replicas, activations, value_clip: config.value_clip, guard }
    }

    /// The same on these further devices too, before its first update ([`Replicas::and_on`]).
    pub(crate) fn and_on(self, further: &[Device]) -> Self {
        Self { replicas: self.replicas.and_on(further), ..self }
    }

    /// The critic, that of the first device.
    pub(crate) fn critic(&self) -> &Critic {
        self.replicas.model()
    }

    /// All that a checkpoint needs beside the critic's directory.
    pub(crate) fn state(&self) -> State {
        State { norms: self.guard.norms(), ..self.replicas.state() }
    }

    /// Puts it back.
    pub(crate) fn restore(&mut self, state: State) -> Result<(), TrainError> {
        let State { values, moments, updates, norms, .. } = state;
        self.replicas.restore(&values, moments, updates)?;
        self.guard.restore(norms);
        Ok(())
    }

    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.replicas.optimizer().lr(step, steps)
    }

    /// Values of the states in which a pack's reply tokens were drawn.
    pub(crate) fn values(&self, pack: &Pack) -> Vec<f32> {
        self.critic().values(&pack.pass)
    }

    /// One optimiser step towards the returns; `targets` has those of each group's members. One at fault is left out, or
    /// stops the run, as the guard says.
    pub(crate) fn update(
        &mut self,
        (step, lr): (u64, f64),
        packs: &[Pack],
        targets: &[impl AsRef<[Target]>],
    ) -> Result<CriticUpdate, TrainError> {
        match self.try_update((step, lr), packs, targets) {
            Err(error) if error.is_fault() => {
                self.guard.fault(step, packs, error)?;
                let update = Update { skipped: true, ..Update::default() };
                Ok(CriticUpdate { update, clipped: 0 })
            }
            done => done,
        }
    }

    fn try_update(
        &mut self,
        (step, lr): (u64, f64),
        packs: &[Pack],
        targets: &[impl AsRef<[Target]>],
    ) -> Result<CriticUpdate, TrainError> {
        let lengths = || packs.iter().flat_map(|pack| &pack.members).map(|&(_, len)| len);
        let extent = BatchExtent { sequences: lengths().count(), tokens: lengths().sum() };
        let mut done = CriticUpdate::default();
        let activations = self.activations;
        let settings = |_| PassSettings { inverse_temperature: 1.0, activations, seed: 0 };
        let gradients = self.replicas.gradients(packs, settings, |pack, values| {
            let output = value_loss(&sequences(pack, values, targets), extent, self.value_clip);
            let output = output.map_err(|source| TrainError::Loss { step, source })?;
            done.update.loss += output.loss;
            done.update.tokens += values.len() as u64;
            done.clipped += output.clipped;
            Ok::<_, TrainError>(output.d_values)
        })?;
        let Some(gradients) = gradients else { return Ok(done) };
        let limit = self.guard.limit();
        let stepped = self.replicas.step(gradients, lr, limit);
        let stepped = stepped.map_err(|refused| refused.at(step, limit))?;
        stepped.checksum(step)?;
        self.guard.passed(stepped.norm);
        done.update.grad_norm = stepped.norm;
        Ok(done)
    }
}

/// A pack's members as the loss sees them.
fn sequences<'a>(
    pack: &Pack,
    values: &'a [f32],
    targets: &'a [impl AsRef<[Target]>],
) -> Vec<ValueSequence<'a>> {
    let sequence = |(place, values): (Place, &'a [f32])| {
        let Target { old_values, returns } = &targets[place.group].as_ref()[place.member];
        ValueSequence { values, old_values, returns }
    };
    pack.split(values).map(sequence).collect()
}

#[cfg(test)]
#[path = "critic_tests.rs"]
mod tests;
