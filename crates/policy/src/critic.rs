//! A critic: a decoder whose head gives each token one number, the value of the state that the token ends.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor};
use serde_json::json;

use crate::backward::Backward;
use crate::config::{CAUSAL, CRITIC};
use crate::decoder::Decoder;
use crate::layer::Linear;
use crate::policy::floats;
use crate::{Activations, ModelConfig, ParameterGradients, Pass, Policy, PolicyError, Precision};

/// Estimates the return that is still to come (Schulman et al., "Proximal Policy Optimization Algorithms", arXiv
/// 1707.06347), token by token. Its directory is transformers' `...ForTokenClassification` with one label, in the
/// name too of families for which transformers has none (Granite, Gemma 3). All else is as with the [`Policy`] that it
/// dereferences to.
#[derive(Clone, Debug)]
pub struct Critic(Policy);

impl Critic {
    /// A critic that begins with a policy's weights, which they share until one of them is trained, and values
    /// everything at 0. Adapters are added to the weights first.
    pub fn of(policy: &Policy) -> Self {
        let mut of = policy.merged();
        let (hidden, device) = (of.config().hidden_size, of.decoder().head().device());
        of.decoder.score = Some(Linear::zeros(hidden, 1, of.precision(), &device));
        of.decoder.lm_head = None;
        of.config = Arc::new(of.config().clone().with_value_head());
        Self(of)
    }

    /// Reads a critic's directory, or begins one with the policy of a directory.
    ///
    /// # Errors
    /// Those of [`Policy::load`].
    pub fn load(dir: &Path, precision: Precision, device: &Device) -> Result<Self, PolicyError> {
        let critic = dir.join("config.json").exists().then(|| ModelConfig::load(dir)).transpose()?;
        match critic.filter(|config| config.value_head) {
            Some(config) => Policy::load_as(dir, config, precision, device).map(Self),
            None => Policy::load(dir, precision, device).map(|policy| Self::of(&policy)),
        }
    }

    /// The values at a pass's n rows: of what comes after each row's token. The pass's targets are not looked at.
    pub fn values(&self, pass: &Pass) -> Vec<f32> {
        let decoder = self.0.decoder();
        floats(read_out(decoder, pass.hidden(decoder)))
    }

    /// Adds the gradients of every parameter, in the order of [`Policy::parameters`], to those of other passes, or to
    /// none yet. `loss` is given the values at the pass's rows, and gives its derivative by each.
    ///
    /// # Errors
    /// Those of `loss`; nothing is added then.
    pub fn add_gradients<E>(
        &self,
        pass: &Pass,
        activations: Activations,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        Backward::new(&self.0, pass, read_out).run(activations, sum, loss)
    }

    /// As [`Policy::on_device`].
    #[must_use]
    pub fn on_device(&self, device: &Device) -> Self {
        Self(self.0.on_device(device))
    }
}

impl Deref for Critic {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0
    }
}

impl DerefMut for Critic {
    fn deref_mut(&mut self) -> &mut Policy {
        &mut self.0
    }
}

/// Values, `[n, 1]`, in f32, given a pass's final hidden states.
fn read_out(decoder: &Decoder, hidden_ni: Tensor<2>) -> Tensor<2> {
    let hidden_ni = hidden_ni.cast(FloatDType::F32);
    match &decoder.score {
        Some(score) => score.forward(hidden_ni),
        // A critic has one; without it every value is 0.
        None => hidden_ni.narrow(1, 0, 1) * 0.0,
    }
}

impl ModelConfig {
    /// The same decoder with a critic's head.
    fn with_value_head(mut self) -> Self {
        self.value_head = true;
        if let Some(keys) = self.raw.as_object_mut() {
            let name = keys.get("architectures").and_then(|a| a.get(0)?.as_str()).unwrap_or_default();
            let name = name.replace(CAUSAL, CRITIC);
            keys.insert("architectures".to_owned(), json!([name]));
            // transformers counts labels by these two; it drops inputs of the head unless told not to.
            keys.insert("id2label".to_owned(), json!({ "0": "value" }));
            keys.insert("label2id".to_owned(), json!({ "value": 0 }));
            keys.insert("classifier_dropout".to_owned(), json!(0.0));
        }
        self
    }
}
