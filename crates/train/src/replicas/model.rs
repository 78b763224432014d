//! What can be trained on several devices: a policy, and a critic.

use burn::tensor::Device;
use toolrl_policy::{Critic, Derivatives, ParameterGradients, Pass, PassSettings, Policy, PolicyError};

use crate::optimizer::Optimized;

/// A model of which several devices can have a copy.
pub(crate) trait Replicated: Optimized + Send + Sync {
    /// As [`Policy::on_device`].
    fn on_device(&self, device: &Device) -> Self;

    /// As [`Policy::is_on_cpu`].
    fn is_on_cpu(&self) -> bool;

    /// As [`Policy::zero_gradients`].
    fn zero_gradients(&self) -> ParameterGradients;

    /// As [`Policy::add_gradients`]: `loss` is given the numbers that it looks at, and gives its derivative by each; of
    /// fewer, zeros at the end.
    fn add_gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E>;

    /// As [`Policy::trained_values`].
    fn trained_values(&self) -> Vec<Vec<f32>>;

    /// As [`Policy::set_trained_values`].
    fn set_trained_values(&mut self, values: &[Vec<f32>]) -> Result<(), PolicyError>;
}

impl Replicated for Policy {
    fn on_device(&self, device: &Device) -> Self {
        self.on_device(device)
    }

    fn is_on_cpu(&self) -> bool {
        self.is_on_cpu()
    }

    fn zero_gradients(&self) -> ParameterGradients {
        self.zero_gradients()
    }

    /// The numbers are the targets' log-probabilities, then their entropies.
    fn add_gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        self.add_gradients(pass, settings, sum, |logp, entropy| {
            let mut by_logp = loss(&[logp, entropy].concat())?;
            let by_entropy = by_logp.split_off(by_logp.len().min(logp.len()));
            Ok(Derivatives { by_logp, by_entropy })
        })
    }

    fn trained_values(&self) -> Vec<Vec<f32>> {
        self.trained_values()
    }

    fn set_trained_values(&mut self, values: &[Vec<f32>]) -> Result<(), PolicyError> {
        self.set_trained_values(values)
    }
}

impl Replicated for Critic {
    fn on_device(&self, device: &Device) -> Self {
        self.on_device(device)
    }

    fn is_on_cpu(&self) -> bool {
        self.is_on_cpu()
    }

    fn zero_gradients(&self) -> ParameterGradients {
        self.zero_gradients()
    }

    /// The numbers are the values at the pass's rows; of the settings the activations alone matter.
    fn add_gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        self.add_gradients(pass, settings.activations, sum, loss)
    }

    fn trained_values(&self) -> Vec<Vec<f32>> {
        self.trained_values()
    }

    fn set_trained_values(&mut self, values: &[Vec<f32>]) -> Result<(), PolicyError> {
        self.set_trained_values(values)
    }
}
