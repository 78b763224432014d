//! Settings of evaluations: on what, how often, by which replies, and what follows from them.

mod check;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_data::{Faulty, LoadConfig, Turns};
use toolrl_eval::Draws;
use toolrl_reward::RubricConfig;
use toolrl_rollout::SamplingParams;

use crate::BenchmarkConfig;

/// The evaluation before, during and after training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvalConfig {
    /// The limit on new tokens of a reply.
    pub max_new_tokens: usize,
    /// Evaluate on the first so many held-out tasks; all of them by default.
    pub limit: Option<usize>,
    /// Evaluate after every so many steps as well; 0 for before and after alone.
    pub every: u64,
    /// Replies that are sampled of each task beside the greedy one, for avg@k and pass@k; none by default.
    pub samples: usize,
    /// Divides the logits of sampled replies.
    pub temperature: f32,
    /// Sampled replies take the smallest set of tokens whose probability reaches this; 1 keeps all.
    pub top_p: f32,
    /// What `final` is: the policy of the `last` step, or the `best` one of those that were evaluated. Default: the best
    /// where `stop` is set, otherwise the last.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub final_policy: Option<FinalPolicy>,
    /// The reward that evaluations report; the one that is trained by, without its schedules, by default.
    pub reward: Option<RubricConfig>,
    /// Which figure says which policy is the best.
    pub best: BestBy,
    /// Ends a run that gains nothing any more; never by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<EarlyStop>,
    /// Further tasks to evaluate on, beside the held-out ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<EvalSet>,
    /// Benchmarks, or parts of them, that the policy is evaluated on too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BenchmarkConfig>,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            limit: None,
            every: 0,
            samples: 0,
            temperature: 1.0,
            top_p: 1.0,
            final_policy: None,
            reward: None,
            best: BestBy::default(),
            stop: None,
            sets: Vec::new(),
            benchmarks: Vec::new(),
        }
    }
}

/// Which policy a run leaves in `final`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalPolicy {
    /// That of the last step.
    Last,
    /// The best of those that were evaluated after a step, by [`BestBy`]; of equals the first.
    Best,
}

/// Which figure of which evaluation says which policy is the best.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BestBy {
    /// `held-out`, or the name of one of `eval.sets`.
    pub by: String,
    /// The figure; higher is better.
    pub measure: EvalMeasure,
}

impl Default for BestBy {
    fn default() -> Self {
        Self { by: EvalConfig::HELD_OUT.to_owned(), measure: EvalMeasure::default() }
    }
}

/// A figure of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvalMeasure {
    /// Mean total reward of the greedy replies.
    #[default]
    MeanReward,
    /// Share of greedy replies of the strict form.
    FormatRate,
    /// Share of greedy replies that make the gold calls.
    ExactCallRate,
    /// Share of sampled replies that make the gold calls.
    Avg,
    /// Share of tasks of which one of the sampled replies makes the gold calls.
    Pass,
}

/// Ends a run after evaluations without a gain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// It ends after so many evaluations in a row without a gain.
    pub patience: u32,
    /// A gain is a figure above the last gain's, or the first evaluation's, by more than this.
    #[serde(default)]
    pub min_delta: f64,
}

/// Tasks of a file that policies are evaluated on, under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalSet {
    /// Its name in tables, files and TensorBoard.
    pub name: String,
    /// JSON, JSON lines or Parquet, gzipped or not, in any form that training data has; each row is a task.
    pub data: PathBuf,
    /// The first so many tasks; all of them by default.
    pub limit: Option<usize>,
    /// Which replies of a dialogue are tasks. Default: each.
    #[serde(default)]
    pub turns: Turns,
    /// What becomes of a row that cannot be read. Default: it ends the run before it begins.
    #[serde(default)]
    pub faulty: Faulty,
}

impl EvalSet {
    /// How its file is read.
    pub fn load(&self) -> LoadConfig {
        LoadConfig { turns: self.turns, faulty: self.faulty }
    }
}

impl EvalConfig {
    /// The name of the evaluation on held-out tasks.
    pub const HELD_OUT: &'static str = "held-out";

    /// How the sampled replies are drawn, whose turns end as those of training do; none where there are none.
    pub(crate) fn draws(&self, training: &SamplingParams, seed: u64) -> Option<Draws> {
        let Self { temperature, top_p, max_new_tokens, .. } = *self;
        let params = SamplingParams { temperature, top_p, ..training.greedily(max_new_tokens) };
        (self.samples > 0).then_some(Draws { replies: self.samples, params, seed })
    }

    /// Whether an evaluation after this step is one that `every` asks for; that before the first step is with them. (A run
    /// that goes on after its end has others.)
    pub(crate) fn is_due(&self, step: u64) -> bool {
        self.every > 0 && step.is_multiple_of(self.every)
    }

    /// Whether `final` is the best policy.
    pub(crate) fn leaves_the_best(&self) -> bool {
        match self.final_policy {
            Some(which) => which == FinalPolicy::Best,
            None => self.stop.is_some(),
        }
    }

    /// Whether each policy that is the best so far is saved.
    pub(crate) fn saves_the_best(&self) -> bool {
        self.stop.is_some() || self.leaves_the_best()
    }

    /// The name of the score that says which policy is the best.
    pub(crate) fn best_score(&self) -> String {
        match self.best.measure {
            EvalMeasure::MeanReward => "mean reward".to_owned(),
            EvalMeasure::FormatRate => "format rate".to_owned(),
            EvalMeasure::ExactCallRate => "exact-call rate".to_owned(),
            EvalMeasure::Avg => format!("avg@{}", self.samples),
            EvalMeasure::Pass => format!("pass@{}", self.samples),
        }
    }

    /// Whether policies get the same figures by both, though perhaps at other steps.
    pub(crate) fn evaluates_as(&self, other: &Self) -> bool {
        let figures = |of: &Self| Self {
            every: 0,
            final_policy: None,
            best: BestBy::default(),
            stop: None,
            ..of.clone()
        };
        figures(self) == figures(other)
    }
}
