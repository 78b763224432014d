//! Typed access to the keys of `config.json`.

use std::path::Path;

use serde_json::{Map, Value};
use toolrl_kernels::Heads;

use super::family::{ARCHITECTURES, CAUSAL, CRITIC, MODEL_TYPES};
use super::{Architecture, LARGEST_SIZE};
use crate::PolicyError;

/// The keys of a file.
pub(crate) struct Keys<'a> {
    pub raw: &'a Value,
    pub path: &'a Path,
}

impl<'a> Keys<'a> {
    pub(crate) fn wrong(&self, message: impl Into<String>) -> PolicyError {
        PolicyError::Json { path: self.path.to_owned(), message: message.into() }
    }

    pub(crate) fn unsupported(&self, option: &str, value: &Value, supported: &'static str) -> PolicyError {
        let (path, option) = (self.path.to_owned(), option.to_owned());
        PolicyError::Unsupported { path, option, value: value.to_string(), supported }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.raw.get(key).filter(|v| !v.is_null())
    }

    /// An object that holds something.
    pub(crate) fn object(&self, key: &str) -> Result<Option<&'a Map<String, Value>>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let object =
            value.as_object().ok_or_else(|| self.wrong(format!("{key} should be an object, not {value}")))?;
        Ok(Some(object).filter(|object| !object.is_empty()))
    }

    pub(crate) fn optional_size(&self, key: &str) -> Result<Option<usize>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().filter(|n| (1..=LARGEST_SIZE).contains(n));
        let wrong =
            || self.wrong(format!("{key} should be a whole number from 1 to {LARGEST_SIZE}, not {value}"));
        Ok(Some(size.ok_or_else(wrong)? as usize))
    }

    pub(crate) fn size(&self, key: &str) -> Result<usize, PolicyError> {
        self.optional_size(key)?.ok_or_else(|| self.wrong(format!("{key} is missing")))
    }

    pub(crate) fn number(&self, key: &str, default: f64) -> Result<f64, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.wrong(format!("{key} should be a number, not {value}")))
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, PolicyError> {
        self.get(key).map_or(Ok(default), |v| {
            v.as_bool().ok_or_else(|| self.wrong(format!("{key} should be true or false, not {v}")))
        })
    }

    /// Warns where two keys say the same thing differently; the first counts.
    pub(crate) fn compare(&self, first: &str, second: &str) {
        if let (Some(counts), Some(other)) = (self.get(first), self.get(second))
            && counts != other
        {
            let path = self.path.display();
            tracing::warn!("{path}: {first} = {counts} counts, and not {second} = {other}");
        }
    }

    /// The attention heads. Where a file does not tell their number or width, the family's default counts.
    pub(crate) fn heads(&self, architecture: Architecture) -> Result<Heads, PolicyError> {
        let (hidden, query) = (self.size("hidden_size")?, self.size("num_attention_heads")?);
        let told = self.raw.get("num_key_value_heads").is_some();
        let kv = if told { query } else { architecture.default_kv(query) };
        let kv = self.optional_size("num_key_value_heads")?.unwrap_or(kv);
        let default = architecture.default_head_dim().unwrap_or(hidden / query);
        let dim = self.optional_size("head_dim")?.unwrap_or(default);
        if !query.is_multiple_of(kv) || dim == 0 || !dim.is_multiple_of(2) {
            return Err(
                self.wrong("num_key_value_heads must divide num_attention_heads, and head_dim be even")
            );
        }
        Ok(Heads { query, kv, dim })
    }

    /// The family, by `model_type` where there is one as in transformers, and whether the head is a critic's, which
    /// the name of the architecture tells.
    pub(crate) fn architecture(&self) -> Result<(Architecture, bool), PolicyError> {
        let name = self.raw.get("architectures").and_then(|a| a.get(0)).unwrap_or(&Value::Null);
        let class = name.as_str().unwrap_or_default();
        let named = Architecture::ALL.into_iter().find_map(|family| {
            let head = class.strip_prefix(family.family())?;
            [CAUSAL, CRITIC].contains(&head).then_some(family)
        });
        let found = match self.get("model_type") {
            Some(value) => {
                let found = Architecture::ALL.into_iter().find(|family| *value == family.model_type());
                found.ok_or_else(|| self.unsupported("model_type", value, MODEL_TYPES))?
            }
            None => named.ok_or_else(|| self.unsupported("architectures[0]", name, ARCHITECTURES))?,
        };
        if named.is_some_and(|family| family != found) {
            let (path, kind) = (self.path.display(), found.model_type());
            tracing::warn!("{path}: model_type = {kind:?} counts, and not architectures[0] = {name}");
        }
        Ok((found, class.ends_with(CRITIC)))
    }

    /// Options that would change the numbers.
    pub(crate) fn refuse_unsupported(
        &self,
        architecture: Architecture,
        without_rope: &[usize],
    ) -> Result<(), PolicyError> {
        type Rule<'a> = (&'a str, &'a dyn Fn(&Value) -> bool, &'static str);
        let full = self.get("layer_types").is_some() || !self.slides(architecture, without_rope);
        let gemma = architecture == Architecture::Gemma3;
        let activation: Rule = if gemma {
            ("hidden_activation", &|v| v == "gelu_pytorch_tanh", "gelu_pytorch_tanh")
        } else {
            ("hidden_act", &|v| v == "silu" || v == "swish", "silu")
        };
        let refused: [Rule; 10] = [
            activation,
            ("use_bidirectional_attention", &|v| !gemma || v == false, "false"),
            ("attn_logit_softcapping", &|_| !gemma, "null"),
            ("final_logit_softcapping", &|_| !gemma, "null"),
            ("mlp_bias", &|v| v == false, "false"),
            ("use_sliding_window", &|v| v == false || (v == true && full), "false"),
            ("quantization_config", &|_| false, "weights in f32, bf16 or f16"),
            ("layer_types", &|v| gemma || all(v, "full_attention"), "full_attention in every layer"),
            ("per_layer_config", &|_| false, "the same settings in every layer"),
            ("transformers_weights", &|_| false, "model.safetensors, or its index"),
        ];
        for (key, fine, supported) in refused {
            if let Some(value) = self.get(key)
                && !fine(value)
            {
                return Err(self.unsupported(key, value, supported));
            }
        }
        Ok(())
    }
}

fn all(list: &Value, item: &str) -> bool {
    list.as_array().is_some_and(|l| l.iter().all(|v| v == item))
}
