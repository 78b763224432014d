//! Settings of evaluations: on what, how often, by which replies, and what follows from them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_data::{Faulty, LoadConfig, Turns};
use toolrl_eval::Draws;
use toolrl_reward::RubricConfig;
use toolrl_rollout::SamplingParams;

use crate::{BenchmarkConfig, TrainError};

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

    /// How the sampled replies are drawn; none where there are none.
    pub(crate) fn draws(&self, seed: u64) -> Option<Draws> {
        let Self { temperature, top_p, max_new_tokens, .. } = *self;
        let params = SamplingParams { temperature, top_p, max_new_tokens };
        (self.samples > 0).then_some(Draws { replies: self.samples, params, seed })
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

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let names: Vec<&str> = self.sets.iter().map(|set| set.name.as_str()).collect();
        let is_sampled = matches!(self.best.measure, EvalMeasure::Avg | EvalMeasure::Pass);
        let wrong = |message: String| Err(TrainError::Recipe(format!("eval.{message}")));
        if self.max_new_tokens == 0 {
            return wrong("max_new_tokens should be at least 1".to_owned());
        }
        if self.benchmarks.iter().any(|benchmark| benchmark.max_new_tokens() == 0) {
            return wrong("benchmarks: max_new_tokens should be at least 1".to_owned());
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            let why = "the greedy reply is always there beside the sampled ones";
            return wrong(format!("temperature = {} should be above 0: {why}", self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong(format!("top_p = {} should be above 0 and at most 1", self.top_p));
        }
        if let Some((place, fault)) =
            (0..).zip(&self.sets).find_map(|(i, set)| Some((i, set.fault(&names[..i])?)))
        {
            return wrong(format!("sets[{place}].{fault}"));
        }
        if self.best.by != Self::HELD_OUT && !names.contains(&self.best.by.as_str()) {
            let known = [&[Self::HELD_OUT], &names[..]].concat().join(", ");
            return wrong(format!("best.by = {:?} is no evaluation set: expected {known}", self.best.by));
        }
        if is_sampled && self.samples == 0 {
            return wrong("best.measure is of sampled replies: set eval.samples".to_owned());
        }
        if let Some(stop) = self.stop {
            if stop.patience == 0 {
                return wrong("stop.patience should be at least 1".to_owned());
            }
            if !(stop.min_delta >= 0.0 && stop.min_delta.is_finite()) {
                return wrong(format!("stop.min_delta = {} should be 0 or more", stop.min_delta));
            }
        }
        if self.saves_the_best() && self.every == 0 {
            let what = if self.stop.is_some() { "stop" } else { "final = \"best\"" };
            return wrong(format!("{what} needs evaluations in the course of the run: set eval.every"));
        }
        if self.saves_the_best() && self.best.by == Self::HELD_OUT && self.limit == Some(0) {
            return wrong("best.by = \"held-out\" is not evaluated on: eval.limit = 0".to_owned());
        }
        Ok(())
    }
}

impl EvalSet {
    /// What is wrong with it, with its key; `before` are the names of those before it.
    fn fault(&self, before: &[&str]) -> Option<String> {
        let name = self.name.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let of_benchmark = ["bfcl", "api-bank", "bamboogle"].iter().any(|benchmark| {
            name.strip_prefix(benchmark)
                .is_some_and(|rest| rest.trim_matches(|c| c == '-' || char::is_numeric(c)).is_empty())
        });
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Some(format!(
                "name = {name:?} should be letters, digits, -, _ and ., and not begin with one"
            ));
        }
        if name == EvalConfig::HELD_OUT || of_benchmark || before.contains(&name) {
            return Some(format!("name = {name:?} is another evaluation's"));
        }
        (self.limit == Some(0)).then(|| "limit should be at least 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    #[test]
    fn what_makes_no_sense_is_refused_by_its_key() {
        let parse = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            Recipe::parse("name = \"a\"\n[train]\nmethod = \"grpo\"\n", &set)
        };
        let cases: [(&[&str], &str); 14] = [
            (&["eval.max_new_tokens=0"], "eval.max_new_tokens should be"),
            (&["eval.temperature=0"], "eval.temperature = 0"),
            (&["eval.top_p=1.5"], "eval.top_p = 1.5"),
            (&["eval.samples=-1"], "-1"),
            (&["eval.stop={ patience = 3 }"], "eval.stop needs"),
            (&["eval.final=best"], "eval.final = \"best\" needs"),
            (&["eval.every=1", "eval.stop={ patience = 0 }"], "eval.stop.patience"),
            (&["eval.every=1", "eval.stop={ patience = 1, min_delta = -1.0 }"], "eval.stop.min_delta = -1"),
            (&["eval.every=1", "eval.stop={ patience = 1, delta = 1.0 }"], "delta"),
            (&["eval.every=1", "eval.stop.patience=1", "eval.limit=0"], "eval.limit = 0"),
            (&["eval.best.by=mine"], "eval.best.by = \"mine\" is no evaluation set: expected held-out"),
            (&["eval.best.measure=pass"], "set eval.samples"),
            (
                &["eval.sets=[{ name = 'a', data = 'x' }, { name = 'a', data = 'y' }]"],
                "eval.sets[1].name = \"a\"",
            ),
            (&["eval.sets=[{ name = 'bfcl-2', data = 'x' }]"], "eval.sets[0].name = \"bfcl-2\""),
        ];
        for (set, expected) in cases {
            let message = parse(set).unwrap_err().to_string();
            assert!(message.contains(expected), "{set:?}: {message}");
        }
        let best = |set: &[&str]| parse(set).unwrap().eval.leaves_the_best();
        assert!(!best(&[]) && best(&["eval.every=1", "eval.stop.patience=2"]));
        assert!(!best(&["eval.every=1", "eval.stop.patience=2", "eval.final=last"]));
    }
}
