//! Adapters of the forms that training does not go on with, added to the weights that they change: DoRA, biases,
//! adapters of the embedding table and of the head, modules and tokens trained whole, PiSSA and OLoRA.

mod layers;
mod replaced;
mod vocabulary;

use std::path::Path;
use std::sync::Arc;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::config::{AdapterConfig, Residual};
use super::tensors::AdapterTensors;
use crate::policy::{Adapters, Policy, floats};
use crate::{ModelConfig, PolicyError, Precision};

const TABLE: &str = "model.embed_tokens";
const HEAD: &str = "lm_head";

impl Policy {
    /// The policy with the adapters of a file in its weights. `path` is the settings' file.
    pub(super) fn with_adapters_within(
        mut self,
        config: &AdapterConfig,
        tensors: &mut AdapterTensors,
        path: &Path,
    ) -> Result<Self, PolicyError> {
        let follows = config.form.keep_tied && self.config().tie_word_embeddings;
        let within = Within { config, path, device: self.decoder.head().device(), follows };
        within.refuse_together(self.config())?;
        let residual_of_head = within.base_of_vocabulary(&mut self, tensors);
        if within.parts_head(&self) {
            self.decoder.lm_head = Some(self.decoder.model.embed_tokens.clone());
            Arc::make_mut(&mut self.config).untie();
        }
        within.adapt_layers(&mut self, tensors)?;
        within.adapt_vocabulary(&mut self, residual_of_head, tensors)?;
        within.replace(&mut self, tensors);
        within.replace_tokens(&mut self, tensors)?;
        self.adapters = Adapters::Within;
        Ok(self)
    }
}

struct Within<'a> {
    config: &'a AdapterConfig,
    path: &'a Path,
    device: Device,
    /// Whether the head gets what the table gets, of which PEFT then saves a copy.
    follows: bool,
}

impl Within<'_> {
    fn unsupported(&self, option: &str, supported: &'static str) -> PolicyError {
        let (path, option) = (self.path.to_owned(), option.to_owned());
        let value = self.config.raw.get(&option).unwrap_or(&Value::Null).to_string();
        PolicyError::Unsupported { path, option, value, supported }
    }

    /// Refuses forms that PEFT does not join, or joins in ways of their own.
    fn refuse_together(&self, base: &ModelConfig) -> Result<(), PolicyError> {
        let (config, form) = (self.config, &self.config.form);
        let changes_base = form.residual != Residual::None;
        if form.bias_of_b && (form.dora || changes_base) {
            return Err(self.unsupported("lora_bias", "false, beside use_dora, pissa and olora"));
        }
        if config.has(TABLE) && (form.dora || form.bias_of_b || changes_base) {
            return Err(self.unsupported(
                "target_modules",
                "no embed_tokens, beside use_dora, lora_bias, pissa and olora",
            ));
        }
        if base.tie_word_embeddings && self.changes_vocabulary() && changes_base {
            return Err(self.unsupported("init_lora_weights", "true, beside a tied head that is trained"));
        }
        if form.tokens.is_some() && self.changes_vocabulary() {
            return Err(
                self.unsupported("trainable_token_indices", "null, beside a trained embed_tokens or lm_head")
            );
        }
        Ok(())
    }

    /// Whether a layer has an adapter.
    fn has(&self, path: &str) -> bool {
        self.config.has(path) || (path == HEAD && self.follows && self.config.has(TABLE))
    }

    /// Whether the table or the head are trained, but for single tokens.
    fn changes_vocabulary(&self) -> bool {
        [TABLE, HEAD].into_iter().any(|path| self.has(path) || self.is_saved(path))
    }

    /// Whether a tied head goes a way of its own from here on, as it does in PEFT where one of the two is trained.
    fn parts_head(&self, policy: &Policy) -> bool {
        policy.decoder.lm_head.is_none() && policy.decoder.score.is_none() && self.changes_vocabulary()
    }

    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Precision::F32.tensor(values, shape, &self.device)
    }
}

/// A parameter in the place of another, stored like that.
fn stored<const D: usize>(value: Tensor<D>, like: &Param<Tensor<D>>, device: &Device) -> Param<Tensor<D>> {
    let shape = value.dims();
    Param::from_tensor(Precision::of(&like.val()).tensor(floats(value), shape, device))
}
