//! The training methods.

use serde::{Deserialize, Serialize};
use toolrl_grpo::KlPenalty;
use toolrl_policy::{LoraConfig, Place};

use crate::{
    GrpoConfig, GuardConfig, MomentStorage, OptimizerConfig, Overlong, OverlongPrompts, PpoConfig, RlConfig,
    SftConfig, StartAdapters, TrainError,
};

/// A training method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// Supervised fine-tuning on the gold replies.
    Sft(SftConfig),
    /// Group-relative policy optimisation (Shao et al., arXiv 2402.03300) with ToolRL's settings.
    Grpo(GrpoConfig),
    /// Proximal policy optimisation with a critic (Schulman et al., arXiv 1707.06347) with ToolRL's settings.
    Ppo(PpoConfig),
}

impl Method {
    /// Number of steps, where the recipe fixes it.
    pub fn steps(&self) -> Option<u64> {
        match self {
            Self::Sft(sft) => sft.steps,
            Self::Grpo(GrpoConfig { rl, .. }) | Self::Ppo(PpoConfig { rl, .. }) => {
                rl.epochs.is_none().then_some(rl.steps)
            }
        }
    }

    /// Passes over the data, where they fix the number of steps.
    pub fn epochs(&self) -> Option<f64> {
        match self {
            Self::Sft(sft) => sft.steps.is_none().then_some(sft.epochs),
            Self::Grpo(GrpoConfig { rl, .. }) | Self::Ppo(PpoConfig { rl, .. }) => rl.epochs,
        }
    }

    /// AdamW's settings.
    pub fn optimizer(&self) -> &OptimizerConfig {
        match self {
            Self::Sft(sft) => &sft.optimizer,
            Self::Grpo(grpo) => &grpo.rl.optimizer,
            Self::Ppo(ppo) => &ppo.rl.optimizer,
        }
    }

    /// The adapters' settings, where they are what is trained.
    pub fn lora(&self) -> Option<&LoraConfig> {
        match self {
            Self::Sft(sft) => sft.lora.as_ref(),
            Self::Grpo(grpo) => grpo.rl.lora.as_ref(),
            Self::Ppo(ppo) => ppo.rl.lora.as_ref(),
        }
    }

    /// What becomes of adapters that the start has.
    pub fn start_adapters(&self) -> StartAdapters {
        match self {
            Self::Sft(sft) => sft.start_adapters,
            Self::Grpo(GrpoConfig { rl, .. }) | Self::Ppo(PpoConfig { rl, .. }) => rl.start_adapters,
        }
    }

    /// Steps between checkpoints; 0 for none.
    pub fn checkpoint_every(&self) -> u64 {
        match self {
            Self::Sft(sft) => sft.checkpoint_every,
            Self::Grpo(grpo) => grpo.rl.checkpoint_every,
            Self::Ppo(ppo) => ppo.rl.checkpoint_every,
        }
    }

    /// How many of the last checkpoints are kept.
    pub fn checkpoint_keep(&self) -> usize {
        match self {
            Self::Sft(sft) => sft.checkpoint_keep,
            Self::Grpo(grpo) => grpo.rl.checkpoint_keep,
            Self::Ppo(ppo) => ppo.rl.checkpoint_keep,
        }
    }

    /// Whether tasks or groups are chosen by which replies succeeded.
    pub(crate) fn reads_outcomes(&self) -> bool {
        match self {
            Self::Sft(_) => false,
            Self::Grpo(grpo) => grpo.rl.tasks.reads_outcomes() || grpo.groups.reads_outcomes(),
            Self::Ppo(ppo) => ppo.rl.tasks.reads_outcomes(),
        }
    }

    /// What happens when numbers go wrong.
    pub fn guards(&self) -> GuardConfig {
        match self {
            Self::Sft(sft) => sft.guards,
            Self::Grpo(grpo) => grpo.rl.guards,
            Self::Ppo(ppo) => ppo.rl.guards,
        }
    }

    /// The keys of a method's table whose settings are shared with another's; none of other methods.
    pub(crate) fn keys(method: &str) -> Vec<String> {
        let rl = RlConfig {
            lora: Some(LoraConfig::default()),
            kl_penalty: Some(KlPenalty::default()),
            overlong: Some(Overlong { buffer: 0, penalty: 1.0 }),
            ..RlConfig::default()
        };
        let table = match method {
            "grpo" => toml::Table::try_from(GrpoConfig { rl, ..GrpoConfig::default() }),
            "ppo" => toml::Table::try_from(PpoConfig { rl, ..PpoConfig::default() }),
            _ => return Vec::new(),
        };
        table.map(|table| table.into_iter().map(|(key, _)| key).collect()).unwrap_or_default()
    }

    /// What prompts are cut to in evaluations too, for a policy whose context holds `context` tokens.
    pub(crate) fn cut_prompts_to(&self, context: usize) -> Option<usize> {
        let limit = match self {
            Self::Sft(sft) => sft.limit(context),
            Self::Grpo(grpo) => grpo.rl.prompt_limit(context),
            Self::Ppo(ppo) => ppo.rl.prompt_limit(context),
        };
        (limit.overlong == OverlongPrompts::Cut).then(|| limit.tokens.min(context.saturating_sub(1)))
    }

    /// Settings that must not be 0.
    pub(crate) fn positive(&self) -> Vec<(&'static str, usize)> {
        let (rl, group_size) = match self {
            Self::Sft(sft) => {
                return vec![
                    ("train.batch", sft.batch),
                    ("train.max_tokens", sft.max_tokens),
                    ("train.checkpoint_keep", sft.checkpoint_keep),
                ];
            }
            Self::Grpo(grpo) => (&grpo.rl, grpo.group_size),
            Self::Ppo(ppo) => (&ppo.rl, ppo.group_size),
        };
        vec![
            ("train.prompts", rl.prompts),
            ("train.group_size", group_size),
            ("train.updates", rl.updates),
            ("train.passes", rl.passes),
            ("train.max_prompt_tokens", rl.max_prompt_tokens),
            ("train.checkpoint_keep", rl.checkpoint_keep),
        ]
    }

    /// Refuses what is not computed there.
    pub(crate) fn check_on(&self, place: &Place) -> Result<(), TrainError> {
        let critic = match self {
            Self::Ppo(ppo) => Some(("train.critic.optimizer", &ppo.critic.optimizer)),
            _ => None,
        };
        let mut optimizers = [("train.optimizer", self.optimizer())].into_iter().chain(critic);
        let in_8_bits = optimizers.find(|(_, optimizer)| optimizer.moments == MomentStorage::EightBit);
        match in_8_bits {
            Some((key, _)) if place.name != Place::cpu().name => Err(TrainError::Recipe(format!(
                "{key}.moments = \"8bit\" is computed on the CPU alone, and this run is on {}",
                place.name
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        self.optimizer().check("train.optimizer")?;
        if let Some(lora) = self.lora() {
            lora.check().map_err(|e| TrainError::Recipe(format!("train.{e}")))?;
        }
        match self {
            Self::Sft(sft) => sft.check(),
            Self::Grpo(grpo) => grpo.check(),
            Self::Ppo(ppo) => ppo.check(),
        }
    }
}
