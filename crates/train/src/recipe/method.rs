//! The training methods and their settings.

use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdamWConfig, AdvantageKind, LossConfig, LrSchedule};
use toolrl_policy::{Activations, LoraConfig};

use crate::TrainError;

/// A training method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// Supervised fine-tuning on the gold replies.
    Sft(SftConfig),
    /// Group-relative policy optimisation (Shao et al., arXiv 2402.03300) with ToolRL's settings.
    Grpo(GrpoConfig),
}

/// AdamW, its learning rate, and clipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The highest learning rate.
    pub lr: f64,
    /// How it changes over the run.
    pub schedule: LrSchedule,
    /// Moments and weight decay.
    pub adamw: AdamWConfig,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { lr: 1e-6, schedule: LrSchedule::default(), adamw: AdamWConfig::default(), max_grad_norm: 1.0 }
    }
}

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
    /// Tokens of a prompt and its reply; longer prompts lose their beginning.
    pub max_tokens: usize,
    /// Weight of a prompt's token against a reply's, 0 to 1; 0 trains on replies alone.
    pub prompt_loss: f64,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole).
    pub micro_tokens: usize,
    /// What of a forward pass is kept for its backward pass: `keep` is faster, `recompute` takes the memory
    /// of one layer.
    pub activations: Activations,
    /// Train low-rank adapters, and nothing else.
    pub lora: Option<LoraConfig>,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// Steps between checkpoints; 0 saves the last policy alone.
    pub checkpoint_every: u64,
}

impl Default for SftConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig { lr: 1e-5, ..OptimizerConfig::default() };
        Self {
            epochs: 1.0,
            steps: None,
            batch: 16,
            max_tokens: 4096,
            prompt_loss: 0.0,
            micro_tokens: 4096,
            activations: Activations::Keep,
            lora: None,
            optimizer,
            checkpoint_every: 0,
        }
    }
}

/// Settings of GRPO. The defaults are ToolRL's, but for the numbers of prompts and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpoConfig {
    /// Number of steps.
    pub steps: u64,
    /// Prompts a step.
    pub prompts: usize,
    /// Replies a prompt: the group.
    pub group_size: usize,
    /// Updates a step: its groups are dealt out to so many mini-batches.
    pub updates: usize,
    /// Longer prompts lose their beginning.
    pub max_prompt_tokens: usize,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole).
    pub micro_tokens: usize,
    /// What of a forward pass is kept for its backward pass: `keep` is faster, `recompute` takes the memory
    /// of one layer.
    pub activations: Activations,
    /// Train low-rank adapters, and nothing else.
    pub lora: Option<LoraConfig>,
    /// From scores to advantages.
    pub advantage: AdvantageKind,
    /// Added to the group's standard deviation.
    pub advantage_epsilon: f64,
    /// The loss.
    pub loss: LossConfig,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// Steps between checkpoints; 0 saves the last policy alone.
    pub checkpoint_every: u64,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            steps: 100,
            prompts: 16,
            group_size: 4,
            updates: 1,
            max_prompt_tokens: 2048,
            micro_tokens: 4096,
            activations: Activations::Keep,
            lora: None,
            advantage: AdvantageKind::default(),
            advantage_epsilon: 1e-6,
            loss: LossConfig::default(),
            optimizer: OptimizerConfig::default(),
            checkpoint_every: 0,
        }
    }
}

impl Method {
    /// Number of steps, where the recipe fixes it.
    pub fn steps(&self) -> Option<u64> {
        match self {
            Self::Sft(sft) => sft.steps,
            Self::Grpo(grpo) => Some(grpo.steps),
        }
    }

    /// AdamW's settings.
    pub fn optimizer(&self) -> &OptimizerConfig {
        match self {
            Self::Sft(sft) => &sft.optimizer,
            Self::Grpo(grpo) => &grpo.optimizer,
        }
    }

    /// The adapters' settings, where they are what is trained.
    pub fn lora(&self) -> Option<&LoraConfig> {
        match self {
            Self::Sft(sft) => sft.lora.as_ref(),
            Self::Grpo(grpo) => grpo.lora.as_ref(),
        }
    }

    /// Steps between checkpoints; 0 for none.
    pub fn checkpoint_every(&self) -> u64 {
        match self {
            Self::Sft(sft) => sft.checkpoint_every,
            Self::Grpo(grpo) => grpo.checkpoint_every,
        }
    }

    /// Settings that must not be 0.
    pub(crate) fn positive(&self) -> Vec<(&'static str, usize)> {
        match self {
            Self::Sft(sft) => vec![("train.batch", sft.batch), ("train.max_tokens", sft.max_tokens)],
            Self::Grpo(grpo) => vec![
                ("train.prompts", grpo.prompts),
                ("train.group_size", grpo.group_size),
                ("train.updates", grpo.updates),
                ("train.max_prompt_tokens", grpo.max_prompt_tokens),
            ],
        }
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |message: String| Err(TrainError::Recipe(message));
        let optimizer = self.optimizer();
        if !(optimizer.lr >= 0.0 && optimizer.lr.is_finite()) {
            return wrong(format!("train.optimizer.lr = {} should be 0 or more", optimizer.lr));
        }
        if let Some(lora) = self.lora() {
            lora.check().map_err(|e| TrainError::Recipe(format!("train.{e}")))?;
        }
        match self {
            Self::Sft(sft) if sft.steps.is_none() && !(sft.epochs > 0.0 && sft.epochs.is_finite()) => {
                wrong(format!("train.epochs = {} should be above 0", sft.epochs))
            }
            Self::Sft(sft) if !(0.0..=1.0).contains(&sft.prompt_loss) => {
                wrong(format!("train.prompt_loss = {} should be 0 to 1", sft.prompt_loss))
            }
            Self::Grpo(grpo) if grpo.updates > grpo.prompts => wrong(format!(
                "train.updates = {} should be at most train.prompts = {}",
                grpo.updates, grpo.prompts
            )),
            Self::Grpo(grpo) => {
                grpo.loss.validate().map_err(|e| TrainError::Recipe(format!("train.loss: {e}")))
            }
            Self::Sft(_) => Ok(()),
        }
    }
}
