//! What the methods share that learn from replies which are there before training begins: SFT and DPO.

use serde::{Deserialize, Serialize};
use toolrl_policy::{Activations, LoraConfig};

use crate::limit::TokenLimit;
use crate::{GuardConfig, OptimizerConfig, OverlongPrompts, StartAdapters, TrainError};

/// What SFT and DPO share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OfflineConfig {
    /// Passes over the data, where `steps` is absent.
    pub epochs: f64,
    /// Number of steps.
    pub steps: Option<u64>,
    /// Replies a step; of DPO, pairs of them.
    pub batch: usize,
    /// Tokens of a prompt and its reply, at most; of DPO, of its longer reply.
    pub max_tokens: usize,
    /// What becomes of longer ones; a reply that is longer by itself then loses its end too.
    pub overlong_prompts: OverlongPrompts,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole, and so is a pair).
    pub micro_tokens: usize,
    /// What of a forward pass is kept for its backward pass: `keep` is faster, `recompute` takes the memory
    /// of one layer.
    pub activations: Activations,
    /// Train low-rank adapters, and nothing else.
    pub lora: Option<LoraConfig>,
    /// What becomes of adapters that the start has already.
    pub start_adapters: StartAdapters,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// Steps between checkpoints; 0 saves one when the run is stopped, and the last policy.
    pub checkpoint_every: u64,
    /// How many of the last checkpoints are kept, beside the best one: that with the highest mean reward on the held-out
    /// tasks where `eval.every` has some evaluated, otherwise that with the lowest mean loss since the one before.
    pub checkpoint_keep: usize,
    /// What happens when numbers go wrong.
    pub guards: GuardConfig,
}

impl Default for OfflineConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig { lr: 1e-5, ..OptimizerConfig::default() };
        Self {
            epochs: 1.0,
            steps: None,
            batch: 16,
            max_tokens: 4096,
            overlong_prompts: OverlongPrompts::default(),
            micro_tokens: 4096,
            activations: Activations::Keep,
            lora: None,
            start_adapters: StartAdapters::default(),
            optimizer,
            checkpoint_every: 0,
            checkpoint_keep: 3,
            guards: GuardConfig::default(),
        }
    }
}

impl OfflineConfig {
    /// The limit on a prompt with its reply, for a policy whose context holds `context` tokens.
    pub(crate) fn limit(&self, context: usize) -> TokenLimit {
        let overlong = self.overlong_prompts;
        if self.max_tokens <= context {
            TokenLimit { tokens: self.max_tokens, setting: "train.max_tokens", overlong }
        } else {
            TokenLimit { tokens: context, setting: "the policy's context", overlong }
        }
    }

    /// The number of steps over so many replies or pairs.
    pub(crate) fn steps_of(&self, items: usize) -> u64 {
        self.steps.unwrap_or((self.epochs * items as f64 / self.batch as f64).ceil() as u64)
    }

    /// How far through them a run is after a step, in passes.
    pub(crate) fn epoch(&self, step: u64, items: usize) -> f64 {
        (step as usize * self.batch) as f64 / items as f64
    }

    /// Settings that must not be 0.
    pub(crate) fn positive(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("train.batch", self.batch),
            ("train.max_tokens", self.max_tokens),
            ("train.checkpoint_keep", self.checkpoint_keep),
        ]
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if self.steps.is_none() && !(self.epochs > 0.0 && self.epochs.is_finite()) {
            return Err(TrainError::Recipe(format!("train.epochs = {} should be above 0", self.epochs)));
        }
        self.guards.check()
    }
}
