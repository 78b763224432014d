//! What can be trained on several devices: a policy, and a critic.

use burn::tensor::Device;
use toolrl_policy::{Critic, Derivatives, ParameterGradients, Pass, PassSettings, Policy};

/// A model of which several devices can have a copy.
pub(crate) trait Replicated: Send + Sync {
    /// It, or what a critic is made of.
    fn policy(&self) -> &Policy;

    /// The same, to be changed.
    fn policy_mut(&mut self) -> &mut Policy;

    /// As [`Policy::on_device`].
    fn on_device(&self, device: &Device) -> Self;

    /// As [`Policy::add_gradients`]: `loss` is given the numbers that it looks at, and gives its derivative by each; of
    /// fewer, zeros at the end.
    fn add_gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E>;
}

impl Replicated for Policy {
    fn policy(&self) -> &Policy {
        self
    }

    fn policy_mut(&mut self) -> &mut Policy {
        self
    }

    fn on_device(&self, device: &Device) -> Self {
        self.on_device(device)
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
}

impl Replicated for Critic {
    fn policy(&self) -> &Policy {
        self
    }

    fn policy_mut(&mut self) -> &mut Policy {
        self
    }

    fn on_device(&self, device: &Device) -> Self {
        self.on_device(device)
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
}
