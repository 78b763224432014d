//! Settings of reinforcement learning: what GRPO and PPO share, and what each has of its own.

use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdaptiveKl, AdvantageKind, Gae, KlPenalty, LossConfig};
use toolrl_policy::{Activations, LoraConfig};

use crate::limit::TokenLimit;
use crate::{
    GuardConfig, KlReference, OptimizerConfig, OverlongPrompts, PassOrder, StartAdapters, Success,
    TasksConfig, TrainError,
};

/// What GRPO and PPO share. The defaults are ToolRL's, but for the numbers of prompts and steps and its
/// entropy bonus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RlConfig {
    /// Number of steps, where `epochs` is absent.
    pub steps: u64,
    /// Passes over the tasks, in the place of `steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Prompts a step.
    pub prompts: usize,
    /// Which tasks they are of.
    pub tasks: TasksConfig,
    /// When a reply is a success; read where tasks or groups are chosen by it.
    pub success: Success,
    /// Mini-batches of a pass over what a step sampled: its groups are dealt out to so many, each of which is an update.
    pub updates: usize,
    /// Passes over what a step sampled (PPO's epochs, verl's `ppo_epochs`, TRL's `num_iterations`), each with `updates`
    /// updates of the policy, and as many of PPO's critic. Ratios are to the policy that sampled in all of them, and the
    /// learning rate is the step's.
    pub passes: usize,
    /// In which order the groups are dealt out in each pass.
    pub pass_order: PassOrder,
    /// Tokens of a prompt, at most.
    pub max_prompt_tokens: usize,
    /// What becomes of longer prompts.
    pub overlong_prompts: OverlongPrompts,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole).
    pub micro_tokens: usize,
    /// What of a forward pass is kept for its backward pass: `keep` is faster, `recompute` takes the memory
    /// of one layer.
    pub activations: Activations,
    /// Memory, in MiB, for prompts' activations that sampling computes and the step's first update takes as they are, which
    /// saves their forward pass. Where all weights are trained, on the CPU, with `activations = "keep"`; 0 keeps none.
    pub kept_prompts_mib: u64,
    /// Train low-rank adapters, and nothing else.
    pub lora: Option<LoraConfig>,
    /// What becomes of adapters that the start has already.
    pub start_adapters: StartAdapters,
    /// The policy's loss.
    pub loss: LossConfig,
    /// Takes the divergence from the reference off the reward; none by default.
    pub kl_penalty: Option<KlPenalty>,
    /// Which policy divergences are measured from.
    pub reference: KlReference,
    /// Takes something off the reward of replies that come near the limit on new tokens; none by default.
    pub overlong: Option<Overlong>,
    /// What replies that met the limit on new tokens count for.
    pub truncated: Truncated,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// Steps between checkpoints; 0 saves one when the run is stopped, and the last policy.
    pub checkpoint_every: u64,
    /// How many of the last checkpoints are kept, beside the best one: that with the highest mean reward on the held-out
    /// tasks where `eval.every` has some evaluated, otherwise of SFT and DPO that with the lowest mean loss since the one before.
    pub checkpoint_keep: usize,
    /// What happens when numbers go wrong.
    pub guards: GuardConfig,
}

impl Default for RlConfig {
    fn default() -> Self {
        Self {
            steps: 100,
            epochs: None,
            prompts: 16,
            tasks: TasksConfig::default(),
            success: Success::default(),
            updates: 1,
            passes: 1,
            pass_order: PassOrder::default(),
            max_prompt_tokens: 2048,
            overlong_prompts: OverlongPrompts::default(),
            micro_tokens: 4096,
            activations: Activations::Keep,
            kept_prompts_mib: 2048,
            lora: None,
            start_adapters: StartAdapters::default(),
            loss: LossConfig::default(),
            kl_penalty: None,
            reference: KlReference::default(),
            overlong: None,
            truncated: Truncated::default(),
            optimizer: OptimizerConfig::default(),
            checkpoint_every: 0,
            checkpoint_keep: 3,
            guards: GuardConfig::default(),
        }
    }
}

/// DAPO's soft punishment of overlong replies (arXiv 2503.14476), see [`toolrl_grpo::soft_overlong`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlong {
    /// Tokens before the limit over which the punishment grows.
    pub buffer: usize,
    /// The whole punishment, taken off the reward at the limit.
    #[serde(default = "one")]
    pub penalty: f64,
}

fn one() -> f64 {
    1.0
}

/// What replies count for that met the limit on new tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truncated {
    /// They are trained on as the others are.
    #[default]
    Keep,
    /// They stay in their group's comparison and have no loss (DAPO's overlong filtering).
    Mask,
}

/// Settings of GRPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpoConfig {
    /// What it shares with PPO.
    #[serde(flatten)]
    pub rl: RlConfig,
    /// Replies a prompt: the group.
    pub group_size: usize,
    /// From scores to advantages.
    pub advantage: AdvantageKind,
    /// Added to the group's standard deviation.
    pub advantage_epsilon: f64,
    /// Which tokens a reply's advantage goes to.
    pub credit: CreditKind,
    /// Which groups are trained on.
    pub groups: GroupFilter,
}

/// Which tokens a reply's advantage goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditKind {
    /// All alike.
    #[default]
    Reply,
    /// Each token gets what those parts of the reward contribute that were not settled before it: a value that is
    /// right is no credit to the tokens that follow it. For advantages that are a difference from the group's mean.
    Spans,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            rl: RlConfig::default(),
            group_size: 4,
            advantage: AdvantageKind::default(),
            advantage_epsilon: 1e-6,
            credit: CreditKind::default(),
            groups: GroupFilter::default(),
        }
    }
}

/// Which groups are trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GroupFilter {
    /// All. One whose rewards are all equal has no gradient of its own, and its tokens count in a token mean.
    #[default]
    All,
    /// Those whose rewards are not all equal; the others' tokens do not count.
    WithSpread,
    /// Of those, the ones in which some replies succeeded and some did not: a reward with a sense of style tells failures
    /// apart too, and a comparison of failures alone teaches the style (verl-recipe's `gsm8k_outcome_gating`).
    MixedOutcome,
    /// The same as one of these two, and further prompts are sampled until the step has its number of such groups (DAPO's
    /// dynamic sampling, arXiv 2503.14476).
    Resample {
        /// Times that a step samples, at most; it then makes do with the groups that it has.
        max_rounds: u64,
        /// Which groups count.
        #[serde(default)]
        by: ResampleBy,
    },
}

/// What the replies of a group should differ in, for further prompts not to be sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResampleBy {
    /// The reward, as of [`GroupFilter::WithSpread`].
    #[default]
    Reward,
    /// The reward and whether they succeeded, as of [`GroupFilter::MixedOutcome`].
    Outcome,
}

impl GroupFilter {
    /// Times that a step samples, at most.
    pub(crate) fn rounds(self) -> u64 {
        match self {
            Self::All | Self::WithSpread | Self::MixedOutcome => 1,
            Self::Resample { max_rounds, .. } => max_rounds,
        }
    }

    /// Whether it asks which replies succeeded.
    pub(crate) fn reads_outcomes(self) -> bool {
        matches!(self, Self::MixedOutcome | Self::Resample { by: ResampleBy::Outcome, .. })
    }
}

/// Settings of PPO (Schulman et al., arXiv 1707.06347), with the defaults of ToolRL's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
    /// What it shares with GRPO.
    #[serde(flatten)]
    pub rl: RlConfig,
    /// Replies a prompt.
    pub group_size: usize,
    /// From the critic's values to advantages.
    pub gae: Gae,
    /// What is done to the advantages of a step.
    pub advantage: PpoAdvantage,
    /// The critic.
    pub critic: CriticConfig,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            rl: RlConfig::default(),
            group_size: 1,
            gae: Gae::default(),
            advantage: PpoAdvantage::default(),
            critic: CriticConfig::default(),
        }
    }
}

/// What is done to the advantages of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PpoAdvantage {
    /// Mean 0 and deviation 1 over the step's tokens, see [`toolrl_grpo::whiten`].
    #[default]
    Whitened,
    /// Nothing.
    AsEstimated,
}

/// Settings of PPO's critic, which begins with the policy's weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CriticConfig {
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// How far a value may go from the old one in a step, see [`toolrl_grpo::value_loss`].
    pub value_clip: f64,
    /// Steps at the beginning in which the critic alone is trained.
    pub warmup_steps: u64,
}

impl Default for CriticConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig { lr: 1e-5, ..OptimizerConfig::default() };
        Self { optimizer, value_clip: 0.5, warmup_steps: 0 }
    }
}

impl RlConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |message: String| Err(TrainError::Recipe(message));
        if self.updates > self.prompts {
            return wrong(format!(
                "train.updates = {} should be at most train.prompts = {}",
                self.updates, self.prompts
            ));
        }
        if let Some(penalty) = &self.kl_penalty {
            penalty.validate().map_err(|e| TrainError::Recipe(format!("train.kl_penalty.{e}")))?;
        }
        self.reference.check()?;
        if self.reference != KlReference::Start && !self.has_reference() {
            return wrong(
                "train.reference does nothing without train.kl_penalty or train.loss.kl".to_owned(),
            );
        }
        if let Some(overlong) = self.overlong.filter(|overlong| !overlong.penalty.is_finite()) {
            return wrong(format!("train.overlong.penalty = {} should be a number", overlong.penalty));
        }
        if let Some(epochs) = self.epochs.filter(|epochs| !(*epochs > 0.0 && epochs.is_finite())) {
            return wrong(format!("train.epochs = {epochs} should be above 0"));
        }
        self.tasks.check()?;
        self.success.check()?;
        self.guards.check()?;
        self.loss.validate().map_err(|e| TrainError::Recipe(format!("train.loss.{e}")))
    }

    /// The same with the steps that its epochs are of so many tasks.
    pub(crate) fn with_steps_of(&self, tasks: usize) -> Self {
        let of_epochs = |epochs: f64| (epochs * tasks as f64 / self.prompts as f64).ceil() as u64;
        Self { steps: self.epochs.map_or(self.steps, of_epochs), ..self.clone() }
    }

    /// The limit on prompts of a policy whose context holds `context` tokens.
    pub(crate) fn prompt_limit(&self, context: usize) -> TokenLimit {
        TokenLimit::of_prompts(self.max_prompt_tokens, context, self.overlong_prompts)
    }

    /// Refuses a horizon so short that a step's replies could make a coefficient 0 or turn its sign.
    fn check_horizons(&self, rounds: u64, group_size: usize) -> Result<(), TrainError> {
        let replies = rounds as f64 * self.prompts as f64 * group_size as f64;
        let of_penalty = self.kl_penalty.and_then(|penalty| penalty.adaptive());
        let of_loss = self.loss.kl.and_then(|kl| kl.adaptive());
        for (key, adaptive) in [("kl_penalty", of_penalty), ("loss.kl", of_loss)] {
            let least = AdaptiveKl::BOUND * replies;
            if let Some(AdaptiveKl { horizon, .. }) = adaptive.filter(|of| of.horizon <= least) {
                return Err(TrainError::Recipe(format!(
                    "train.{key}.horizon = {horizon} should be above {least}, a fifth of a step's {replies} replies"
                )));
            }
        }
        Ok(())
    }

    /// Whether a reference is needed.
    pub(crate) fn has_reference(&self) -> bool {
        self.loss.kl.is_some() || self.kl_penalty.is_some()
    }
}

impl GrpoConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if self.groups.rounds() == 0 {
            return Err(TrainError::Recipe(
                "train.groups.resample.max_rounds should be at least 1".to_owned(),
            ));
        }
        if self.groups.reads_outcomes() && self.group_size == 1 {
            return Err(TrainError::Recipe(
                "train.groups: the outcome of train.group_size = 1 reply is never mixed: take 2 or more"
                    .to_owned(),
            ));
        }
        if self.credit == CreditKind::Spans && self.advantage.scales(&[], 0.0).is_none() {
            return Err(TrainError::Recipe(
                "train.credit = \"spans\" needs a train.advantage that divides by one number: group_normalized, \
                 mean_centered, batch_scaled or batch_whitened"
                    .to_owned(),
            ));
        }
        self.rl.check()?;
        self.rl.check_horizons(self.groups.rounds(), self.group_size)
    }
}

impl PpoConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        for (key, value) in [("gamma", self.gae.gamma), ("lambda", self.gae.lambda)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(TrainError::Recipe(format!("train.gae.{key} = {value} should be 0 to 1")));
            }
        }
        if self.critic.value_clip.is_nan() || self.critic.value_clip <= 0.0 {
            let clip = self.critic.value_clip;
            return Err(TrainError::Recipe(format!("train.critic.value_clip = {clip} should be above 0")));
        }
        self.critic.optimizer.check("train.critic.optimizer")?;
        self.rl.check()?;
        self.rl.check_horizons(1, self.group_size)
    }
}
