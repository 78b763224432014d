//! A model in training on one device or several: a copy on each, with its own optimiser.
//!
//! Each device computes the gradients of its share of an update's packs. Their sum, which every device gets, is that of
//! the whole update, and so are its norm and the step that each device makes. The copies so stay the same to the bit, and
//! their checksums tell whether they did.

mod gradients;
mod model;

use std::panic::resume_unwind;
use std::thread::{self, Scope, ScopedJoinHandle};

use burn::tensor::{Device, StreamId};
use toolrl_policy::ParameterGradients;

pub(crate) use model::Replicated;

use crate::checkpoint::State;
use crate::moments::Moments;
use crate::optimizer::{Gradients, Optimizer, Refused};
use crate::{OptimizerConfig, TrainError};

/// A model in training.
pub(crate) struct Replicas<M> {
    /// What samples, is evaluated and is saved.
    first: Replica<M>,
    others: Vec<Replica<M>>,
}

struct Replica<M> {
    model: M,
    optimizer: Optimizer,
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stepped {
    /// The norm of the whole gradient before clipping.
    pub norm: f64,
    /// The checksum of all values after it, on each device.
    checksums: Vec<u32>,
}

impl Stepped {
    /// The checksum, which all devices have.
    ///
    /// # Errors
    /// [`TrainError::DevicesDiffer`].
    pub(crate) fn checksum(&self, step: u64) -> Result<u32, TrainError> {
        match self.checksums[..] {
            [first, ref others @ ..] if others.iter().all(|other| *other == first) => Ok(first),
            _ => Err(TrainError::DevicesDiffer { step, checksums: self.checksums.clone() }),
        }
    }
}

impl<M: Replicated> Replicas<M> {
    /// A model that is trained where it is.
    pub(crate) fn new(model: M, config: OptimizerConfig) -> Self {
        Self { first: Replica { model, optimizer: Optimizer::new(config) }, others: Vec::new() }
    }

    /// The same before its first step, and on these further devices too, each with a copy. A device may stand several
    /// times.
    pub(crate) fn and_on(self, further: &[Device]) -> Self {
        let Replica { model, optimizer } = &self.first;
        let copy = |device| Replica { model: model.on_device(device), optimizer: optimizer.fresh() };
        Self { others: further.iter().map(copy).collect(), ..self }
    }

    /// The copy on the first device.
    pub(crate) fn model(&self) -> &M {
        &self.first.model
    }

    pub(crate) fn into_model(self) -> M {
        self.first.model
    }

    /// The optimiser of the first device, whose state all have.
    pub(crate) fn optimizer(&self) -> &Optimizer {
        &self.first.optimizer
    }

    /// How many devices there are.
    pub(crate) fn devices(&self) -> usize {
        1 + self.others.len()
    }

    /// What [`Stepped::checksum`] is of the present values.
    pub(crate) fn present_checksum(&mut self) -> u32 {
        Optimizer::checksum(self.first.model.policy_mut())
    }

    /// Values, moments and the number of updates.
    pub(crate) fn state(&self) -> State {
        let (moments, updates) = self.first.optimizer.state();
        State { values: self.first.model.policy().trained_values(), moments, updates, ..State::default() }
    }

    /// Puts them back, on every device.
    pub(crate) fn restore(
        &mut self,
        values: &[Vec<f32>],
        moments: Vec<Moments>,
        updates: u32,
    ) -> Result<(), TrainError> {
        for Replica { model, optimizer } in &mut self.others {
            model.policy_mut().set_trained_values(values)?;
            optimizer.restore(moments.clone(), updates);
        }
        self.first.model.policy_mut().set_trained_values(values)?;
        self.first.optimizer.restore(moments, updates);
        Ok(())
    }

    /// Changes the model by the gradients of an update, each device's by its own, which are the same; nothing is changed
    /// where their norm is above `limit`.
    pub(crate) fn step(
        &mut self,
        gradients: Vec<ParameterGradients>,
        lr: f64,
        limit: f64,
    ) -> Result<Stepped, Refused> {
        let gradients: Vec<Gradients> = gradients.into_iter().map(Gradients::from).collect();
        // One norm for all: a device of another kind might add its own up in another order.
        let norm = gradients.first().map_or(Ok(0.0), |first| first.norm(limit))?;
        let concurrent = self.are_concurrent();
        let steps = self.all_mut().zip(gradients).map(|(replica, gradients)| {
            move || replica.optimizer.step(gradients, norm, lr, replica.model.policy_mut())
        });
        Ok(Stepped { norm, checksums: on_each(steps, concurrent) })
    }

    fn all(&self) -> impl Iterator<Item = &Replica<M>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Replica<M>> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// Whether devices compute at the same time. Those of the CPU would share its threads, and take turns instead.
    fn are_concurrent(&self) -> bool {
        self.devices() > 1 && !self.first.model.policy().is_on_cpu()
    }
}

/// The results of one piece of work a device, in the order of the devices: done at once, each on a thread of its own, or
/// one after the other.
fn on_each<T: Send>(work: impl Iterator<Item = impl FnOnce() -> T + Send>, concurrent: bool) -> Vec<T> {
    match concurrent {
        true => thread::scope(|scope| joined(work.map(|work| begun(scope, work)).collect())),
        false => work.map(|work| work()).collect(),
    }
}

/// Work on a thread of its own, and on this thread's stream of each device: what is computed there follows what was, in the
/// same memory. (A thread that lives for one update would have a stream, and a pool of memory, of its own.)
fn begun<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    let stream = StreamId::current();
    scope.spawn(move || stream.executes(work))
}

/// What threads gave, in their order; a panic of one is one here.
fn joined<T>(threads: Vec<ScopedJoinHandle<'_, T>>) -> Vec<T> {
    let all = threads.into_iter().map(ScopedJoinHandle::join);
    all.map(|given| given.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
