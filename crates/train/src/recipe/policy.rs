//! Where a run's policy comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_policy::Heads;

/// Where a policy comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicySource {
    /// A model directory in Hugging Face form.
    Dir(PathBuf),
    /// Adapters in PEFT's form on a base model that is elsewhere than where their settings say, as one that they name
    /// by its name on the Hub.
    Adapters(AdaptersOn),
    /// A small policy with fresh weights, and a tokenizer trained on the run's own data.
    Fresh(FreshPolicy),
}

/// Adapters and the base model that they are for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptersOn {
    /// The directory of the adapters.
    pub dir: PathBuf,
    /// The directory of the base model.
    pub base: PathBuf,
}

/// A small policy from nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FreshPolicy {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads; the width of each is `hidden_size / heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
}

impl Default for FreshPolicy {
    fn default() -> Self {
        Self { vocab_size: 2048, hidden_size: 128, layers: 4, heads: 4, kv_heads: 4 }
    }
}

impl FreshPolicy {
    /// The sizes of its attention.
    pub(crate) fn attention(&self) -> Heads {
        Heads { query: self.heads, kv: self.kv_heads, dim: self.hidden_size / self.heads.max(1) }
    }

    /// What is wrong with these sizes, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let heads = self.attention();
        if [self.hidden_size, self.layers, heads.query, heads.kv].contains(&0) {
            Some("every size should be at least 1")
        } else if heads.query * heads.dim != self.hidden_size || !heads.dim.is_multiple_of(2) {
            Some("heads should divide hidden_size into even widths")
        } else if !heads.query.is_multiple_of(heads.kv) {
            Some("kv_heads should divide heads")
        } else {
            None
        }
    }
}
