//! The measurements of one training step.

use std::collections::BTreeMap;

use serde_json::Value;
use toolrl_grpo::Diagnostics;

/// One row of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StepMetrics {
    /// Number of the step, from 1.
    pub step: u64,
    /// What the recipe's kind of step measures; its `kind` stands in the row.
    #[serde(flatten)]
    pub detail: StepDetail,
    /// The loss, mean over the step's updates.
    pub loss: f64,
    /// Global norm of the gradient before clipping, mean over the step's updates.
    pub grad_norm: f64,
    /// Learning rate of the step's last update.
    pub lr: f64,
    /// Tokens that had a gradient.
    pub tokens_trained: u64,
    /// Updates that a guard left out.
    #[serde(default)]
    pub skipped_updates: usize,
    /// The checksum of the trained values after the step's last update, as eight hexadecimal digits.
    #[serde(default)]
    pub weights: Option<String>,
    /// Seconds by stage, for instance `sample`, `score`, `update`.
    pub seconds: BTreeMap<String, f64>,
}

/// What a kind of step measures beside the loss.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepDetail {
    /// A step of supervised fine-tuning.
    Sft(SftMetrics),
    /// A step of DPO.
    Dpo(DpoMetrics),
    /// A step of GRPO.
    Grpo(GrpoMetrics),
    /// A step of PPO.
    Ppo(PpoMetrics),
}

impl StepDetail {
    /// What was measured over sampled replies, where the step sampled.
    pub fn sampled(&self) -> Option<&GrpoMetrics> {
        match self {
            Self::Sft(_) | Self::Dpo(_) => None,
            Self::Grpo(grpo) => Some(grpo),
            Self::Ppo(ppo) => Some(&ppo.replies),
        }
    }

    /// What each of several sources had so far, by its name.
    pub fn sources(&self) -> &BTreeMap<String, SourceMetrics> {
        const NONE: &BTreeMap<String, SourceMetrics> = &BTreeMap::new();
        match self {
            Self::Sft(sft) => &sft.sources,
            Self::Dpo(_) | Self::Grpo(_) | Self::Ppo(_) => {
                self.sampled().and_then(|replies| replies.tasks.as_ref()).map_or(NONE, |tasks| &tasks.sources)
            }
        }
    }
}

/// What supervised fine-tuning measures.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SftMetrics {
    /// How far through the data the run is, in passes.
    pub epoch: f64,
    /// Replies in the step's batch.
    pub replies: usize,
    /// What each source had so far, by its name, where there are several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceMetrics>,
}

/// What one of several sources had so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceMetrics {
    /// Its share of all that was trained on.
    pub share: f64,
    /// As many of its samples as so many times all of them.
    pub epoch: f64,
}

/// How a run's tasks stand after a step.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct TaskMetrics {
    /// Share of the tasks that were not asked yet, where the recipe asks for their outcomes; the same of those below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
    /// Share that is left out of the next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting: Option<f64>,
    /// Share of which all replies succeeded when it was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solved: Option<f64>,
    /// Share of which no reply did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<f64>,
    /// Mean of the estimated success rates of those that were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<f64>,
    /// What each source had so far, by its name, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceMetrics>,
}

/// What DPO measures over the step's pairs: means of what [`toolrl_grpo::PreferenceLoss`] has of each.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DpoMetrics {
    /// How far through the pairs the run is, in passes.
    pub epoch: f64,
    /// Pairs in the step's batch.
    pub pairs: usize,
    /// The reward that the policy stands for: `beta` times the log-ratio, of the chosen replies.
    pub chosen_reward: f64,
    /// The same of the rejected replies.
    pub rejected_reward: f64,
    /// The difference of the two.
    pub margin: f64,
    /// Share of pairs whose chosen reply has the higher such reward.
    pub accuracy: f64,
    /// Log-probability of a chosen reply, in nats.
    pub chosen_logp: f64,
    /// Log-probability of a rejected reply, in nats.
    pub rejected_logp: f64,
}

/// What PPO measures.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PpoMetrics {
    /// Over the step's sampled replies, as GRPO does.
    #[serde(flatten)]
    pub replies: GrpoMetrics,
    /// Of the critic.
    pub critic: CriticMetrics,
}

/// What the updates of a critic measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CriticMetrics {
    /// The value loss, mean over the step's updates.
    pub loss: f64,
    /// Global norm of its gradient before clipping, mean over the step's updates.
    pub grad_norm: f64,
    /// Share of tokens whose value the clip held back.
    pub clip_fraction: f64,
    /// `1 - var(return - value) / var(return)` before the step's updates: 1 for a critic that foresees every return.
    pub explained_variance: f64,
    /// Learning rate.
    pub lr: f64,
}

/// What GRPO measures over the step's sampled replies.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GrpoMetrics {
    /// The total reward.
    pub reward: Spread,
    /// Mean of every reward component, by its term's name.
    pub components: BTreeMap<String, f64>,
    /// How many replies each of the reward's terms failed on; terms that never failed are not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reward_failures: BTreeMap<String, usize>,
    /// Length of the replies.
    pub reply_length: ReplyLength,
    /// Share of replies that ended by a stop token; the others met the limit on new tokens.
    pub stop_rate: f64,
    /// Groups, one per prompt.
    pub groups: usize,
    /// Groups whose rewards are all equal, and which so have no gradient.
    pub zero_variance_groups: usize,
    /// Groups that the recipe leaves out of the loss.
    #[serde(default)]
    pub left_out_groups: usize,
    /// Share of replies that succeeded, where tasks or groups are chosen by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// Groups in which some replies succeeded and some did not, where the same holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_outcome_groups: Option<usize>,
    /// How the tasks stand after the step, where their order has a history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskMetrics>,
    /// Ratios, clipping and divergences.
    pub update: Diagnostics,
    /// The same of each pass over the step's replies, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<Diagnostics>,
    /// Coefficients of divergences that follow a target, by name: `kl_penalty`, `loss`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adaptive_kl: BTreeMap<String, AdaptiveKlMetrics>,
    /// How far the sampler's log-probabilities are from the trainer's.
    pub logprob_gap: LogprobGap,
    /// Mean entropy of the sampled tokens' distributions, in nats, where it is computed.
    pub entropy: Option<f64>,
    /// Tokens sampled.
    pub tokens_sampled: u64,
    /// Figures of a sampler that is not the trainer's own process, by name: `lag`, how many steps older than the policy that
    /// is trained the one is that sampled, and what the sampler tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sampler: BTreeMap<String, f64>,
}

/// A divergence's coefficient that follows a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AdaptiveKlMetrics {
    /// The coefficient of the step.
    pub coef: f64,
    /// The divergence from the reference at sampling, in nats a reply, mean over the step's replies.
    pub divergence: f64,
}

/// A quantity over the replies of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation over all replies, with `n`.
    pub std: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; all zero for none.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            std: (squares / n).sqrt(),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Tokens of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReplyLength {
    /// Mean over replies.
    pub mean: f64,
    /// Longest.
    pub max: usize,
}

/// `|sampler - trainer|` of the log-probability of a token, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LogprobGap {
    /// Mean over tokens.
    pub mean: f64,
    /// Largest.
    pub max: f64,
}

impl super::StepRow for StepMetrics {
    fn step(&self) -> u64 {
        self.step
    }
}

impl StepMetrics {
    /// Every number of the row under a name like `reward/mean`, the step itself left out.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut scalars = Vec::new();
        if let Ok(row) = serde_json::to_value(self) {
            collect_numbers("", &row, &mut scalars);
        }
        scalars.retain(|(name, _)| name != "step");
        scalars
    }
}

fn collect_numbers(name: &str, value: &Value, scalars: &mut Vec<(String, f64)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if name.is_empty() { key.clone() } else { format!("{name}/{key}") };
                collect_numbers(&path, value, scalars);
            }
        }
        Value::Array(items) => {
            (1..).zip(items).for_each(|(i, item)| collect_numbers(&format!("{name}/{i}"), item, scalars));
        }
        Value::Number(number) => scalars.extend(number.as_f64().map(|n| (name.to_owned(), n))),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_flat_object_with_its_kind() {
        let row = StepMetrics {
            step: 3,
            detail: StepDetail::Grpo(GrpoMetrics {
                reward: Spread::of(&[4.0, -3.0]),
                components: BTreeMap::from([("format".into(), 0.5)]),
                passes: [1.0, 1.5]
                    .map(|ratio_mean| Diagnostics { ratio_mean, ..Diagnostics::default() })
                    .into(),
                adaptive_kl: BTreeMap::from([(
                    "loss".into(),
                    AdaptiveKlMetrics { coef: 0.1, divergence: 3.0 },
                )]),
                ..GrpoMetrics::default()
            }),
            loss: 0.25,
            grad_norm: 1.5,
            lr: 1e-6,
            tokens_trained: 12,
            skipped_updates: 0,
            weights: None,
            seconds: BTreeMap::from([("sample".into(), 2.0)]),
        };
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["kind"], "grpo");
        assert_eq!(json["reward"]["mean"], 0.5);
        assert_eq!(json["reward"]["std"], 3.5);
        assert_eq!(serde_json::from_value::<StepMetrics>(json).unwrap(), row);
        let scalars: BTreeMap<_, _> = row.scalars().into_iter().collect();
        assert_eq!(scalars["components/format"], 0.5);
        assert_eq!(scalars["seconds/sample"], 2.0);
        assert_eq!(scalars["loss"], 0.25);
        assert_eq!((scalars["passes/2/ratio_mean"], scalars["adaptive_kl/loss/coef"]), (1.5, 0.1));
        assert!(!scalars.contains_key("step") && !scalars.contains_key("entropy"));
    }

    #[test]
    fn spread_of_nothing_is_zero() {
        assert_eq!(Spread::of(&[]), Spread::default());
        assert_eq!(Spread::of(&[2.0]), Spread { mean: 2.0, std: 0.0, min: 2.0, max: 2.0 });
    }
}
