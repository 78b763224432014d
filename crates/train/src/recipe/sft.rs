//! Settings of supervised fine-tuning.

use serde::{Deserialize, Serialize};
use toolrl_policy::{Activations, LoraConfig};

use crate::limit::TokenLimit;
use crate::{GuardConfig, OptimizerConfig, OverlongPrompts, StartAdapters, TrainError};

/// Settings of SFT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftConfig {
    /// Passes over the data, where `steps` is absent.
    pub epochs: f64,
    /// Number of steps.
    pub steps: Option<u64>,
    /// Replies a step.
    pub batch: usize,
    /// Tokens of a prompt and its reply, at most.
    pub max_tokens: usize,
    /// What becomes of longer ones; a reply that is longer by itself then loses its end too.
    pub overlong_prompts: OverlongPrompts,
    /// Weight of a prompt's token against a reply's, 0 to 1; 0 trains on replies alone.
    pub prompt_loss: f64,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole).
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
    /// tasks where `eval.every` has some evaluated, otherwise of SFT that with the lowest mean loss since the one before.
    pub checkpoint_keep: usize,
    /// What happens when numbers go wrong.
    pub guards: GuardConfig,
}

impl Default for SftConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig { lr: 1e-5, ..OptimizerConfig::default() };
        Self {
            epochs: 1.0,
            steps: None,
            batch: 16,
            max_tokens: 4096,
            overlong_prompts: OverlongPrompts::default(),
            prompt_loss: 0.0,
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

impl SftConfig {
    /// The limit on a prompt with its reply, for a policy whose context holds `context` tokens.
    pub(crate) fn limit(&self, context: usize) -> TokenLimit {
        let overlong = self.overlong_prompts;
        if self.max_tokens <= context {
            TokenLimit { tokens: self.max_tokens, setting: "train.max_tokens", overlong }
        } else {
            TokenLimit { tokens: context, setting: "the policy's context", overlong }
        }
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |message: String| Err(TrainError::Recipe(message));
        if self.steps.is_none() && !(self.epochs > 0.0 && self.epochs.is_finite()) {
            return wrong(format!("train.epochs = {} should be above 0", self.epochs));
        }
        if !(0.0..=1.0).contains(&self.prompt_loss) {
            return wrong(format!("train.prompt_loss = {} should be 0 to 1", self.prompt_loss));
        }
        self.guards.check()
    }
}
