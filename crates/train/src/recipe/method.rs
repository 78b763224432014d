//! The training methods.

use serde::{Deserialize, Serialize};
use toolrl_grpo::KlPenalty;
use toolrl_policy::{LoraConfig, Place};

use crate::{
    DpoConfig, GrpoConfig, GuardConfig, MomentStorage, OfflineConfig, OptimizerConfig, Overlong,
    OverlongPrompts, PpoConfig, RlConfig, SftConfig, StartAdapters, TrainError,
};

/// A training method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// Supervised fine-tuning on the gold replies; on a run's completions, rejection sampling (RAFT, arXiv 2304.06767).
    Sft(SftConfig),
    /// Direct preference optimisation on pairs of a run's completions (Rafailov et al., arXiv 2305.18290).
    Dpo(DpoConfig),
    /// Group-relative policy optimisation (Shao et al., arXiv 2402.03300) with ToolRL's settings.
    Grpo(GrpoConfig),
    /// Proximal policy optimisation with a critic (Schulman et al., arXiv 1707.06347) with ToolRL's settings.
    Ppo(PpoConfig),
}

/// What methods share.
enum Shared<'a> {
    Offline(&'a OfflineConfig),
    Rl(&'a RlConfig),
}

impl Method {
    fn shared(&self) -> Shared<'_> {
        match self {
            Self::Sft(SftConfig { offline, .. }) | Self::Dpo(DpoConfig { offline, .. }) => {
                Shared::Offline(offline)
            }
            Self::Grpo(GrpoConfig { rl, .. }) | Self::Ppo(PpoConfig { rl, .. }) => Shared::Rl(rl),
        }
    }

    /// Number of steps, where the recipe fixes it.
    pub fn steps(&self) -> Option<u64> {
        match self.shared() {
            Shared::Offline(offline) => offline.steps,
            Shared::Rl(rl) => rl.epochs.is_none().then_some(rl.steps),
        }
    }

    /// Passes over the data, where they fix the number of steps.
    pub fn epochs(&self) -> Option<f64> {
        match self.shared() {
            Shared::Offline(offline) => offline.steps.is_none().then_some(offline.epochs),
            Shared::Rl(rl) => rl.epochs,
        }
    }

    /// AdamW's settings.
    pub fn optimizer(&self) -> &OptimizerConfig {
        match self.shared() {
            Shared::Offline(OfflineConfig { optimizer, .. }) | Shared::Rl(RlConfig { optimizer, .. }) => {
                optimizer
            }
        }
    }

    /// The adapters' settings, where they are what is trained.
    pub fn lora(&self) -> Option<&LoraConfig> {
        match self.shared() {
            Shared::Offline(OfflineConfig { lora, .. }) | Shared::Rl(RlConfig { lora, .. }) => lora.as_ref(),
        }
    }

    /// What becomes of adapters that the start has.
    pub fn start_adapters(&self) -> StartAdapters {
        match self.shared() {
            Shared::Offline(offline) => offline.start_adapters,
            Shared::Rl(rl) => rl.start_adapters,
        }
    }

    /// Steps between checkpoints; 0 for none.
    pub fn checkpoint_every(&self) -> u64 {
        match self.shared() {
            Shared::Offline(offline) => offline.checkpoint_every,
            Shared::Rl(rl) => rl.checkpoint_every,
        }
    }

    /// How many of the last checkpoints are kept.
    pub fn checkpoint_keep(&self) -> usize {
        match self.shared() {
            Shared::Offline(offline) => offline.checkpoint_keep,
            Shared::Rl(rl) => rl.checkpoint_keep,
        }
    }

    /// Whether tasks or groups are chosen by which replies succeeded.
    pub(crate) fn reads_outcomes(&self) -> bool {
        match self {
            Self::Sft(_) | Self::Dpo(_) => false,
            Self::Grpo(grpo) => grpo.rl.tasks.reads_outcomes() || grpo.groups.reads_outcomes(),
            Self::Ppo(ppo) => ppo.rl.tasks.reads_outcomes(),
        }
    }

    /// What happens when numbers go wrong.
    pub fn guards(&self) -> GuardConfig {
        match self.shared() {
            Shared::Offline(offline) => offline.guards,
            Shared::Rl(rl) => rl.guards,
        }
    }

    /// The bound on the ratio between trainer and sampler, where the loss has one.
    pub(crate) fn sampler_ratio_cap(&self) -> Option<f64> {
        match self.shared() {
            Shared::Offline(_) => None,
            Shared::Rl(rl) => rl.loss.sampler_ratio_cap,
        }
    }

    /// Whether replies are sampled in training.
    pub(crate) fn samples(&self) -> bool {
        matches!(self.shared(), Shared::Rl(_))
    }

    /// The keys of a method's table; none of other methods. (Settings that are shared with another's are not known to
    /// serde where it names what was expected.)
    pub(crate) fn keys(method: &str) -> Vec<String> {
        let offline =
            OfflineConfig { steps: Some(1), lora: Some(LoraConfig::default()), ..OfflineConfig::default() };
        let rl = RlConfig {
            lora: Some(LoraConfig::default()),
            kl_penalty: Some(KlPenalty::default()),
            overlong: Some(Overlong { buffer: 0, penalty: 1.0 }),
            ..RlConfig::default()
        };
        let table = match method {
            "sft" => toml::Table::try_from(SftConfig { offline, ..SftConfig::default() }),
            "dpo" => toml::Table::try_from(DpoConfig { offline, ..DpoConfig::default() }),
            "grpo" => toml::Table::try_from(GrpoConfig { rl, ..GrpoConfig::default() }),
            "ppo" => toml::Table::try_from(PpoConfig { rl, ..PpoConfig::default() }),
            _ => return Vec::new(),
        };
        table.map(|table| table.into_iter().map(|(key, _)| key).collect()).unwrap_or_default()
    }

    /// What prompts are cut to in evaluations too, for a policy whose context holds `context` tokens.
    pub fn cut_prompts_to(&self, context: usize) -> Option<usize> {
        let limit = match self.shared() {
            Shared::Offline(offline) => offline.limit(context),
            Shared::Rl(rl) => rl.prompt_limit(context),
        };
        (limit.overlong == OverlongPrompts::Cut).then(|| limit.tokens.min(context.saturating_sub(1)))
    }

    /// Settings that must not be 0.
    pub(crate) fn positive(&self) -> Vec<(&'static str, usize)> {
        let (rl, group_size) = match self {
            Self::Sft(SftConfig { offline, .. }) | Self::Dpo(DpoConfig { offline, .. }) => {
                return offline.positive();
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
            Self::Dpo(dpo) => dpo.check(),
            Self::Grpo(grpo) => grpo.check(),
            Self::Ppo(ppo) => ppo.check(),
        }
    }
}
