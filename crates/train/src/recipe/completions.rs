//! A run's completions as data, and what a recipe on them takes over from the run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toolrl_record::completed_steps;

use crate::TrainError;

/// Replies that an earlier run of GRPO or PPO sampled. What it held out is held out again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletionsConfig {
    /// The run's directory.
    pub run: PathBuf,
    /// The first of its steps whose replies are taken.
    #[serde(default = "first")]
    pub first_step: u64,
    /// The last of them. Default: the last that is there when a run begins, which its `config.toml` then says.
    pub last_step: Option<u64>,
    /// A group is used where its best reply has at least this reward. Default: whatever it has.
    pub min_reward: Option<f64>,
    /// A group is used where its best reply's reward is above its worst's by at least this. Default: 0. A pair of equal
    /// rewards is none.
    #[serde(default)]
    pub min_margin: f64,
}

fn first() -> u64 {
    1
}

/// What a recipe is by itself, whatever run it learns from.
const OWN: [&str; 6] = ["name", "seed", "device", "devices", "data", "train"];
/// Tables of which it may set a part.
const IN_PART: [&str; 4] = ["sampling", "environment", "template", "eval"];

impl CompletionsConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |what: String| Err(TrainError::Recipe(format!("data.completions.{what}")));
        match *self {
            Self { first_step: 0, .. } => wrong("first_step should be at least 1".to_owned()),
            Self { first_step, last_step: Some(last), .. } if last < first_step => {
                wrong(format!("last_step = {last} should be at least first_step = {first_step}"))
            }
            Self { min_reward: Some(least), .. } if !least.is_finite() => {
                wrong(format!("min_reward = {least} should be a number"))
            }
            Self { min_margin, .. } if !(min_margin >= 0.0 && min_margin.is_finite()) => {
                wrong(format!("min_margin = {min_margin} should be 0 or more"))
            }
            _ => Ok(()),
        }
    }

    /// The steps whose replies are taken: those that have a file.
    ///
    /// # Errors
    /// [`TrainError::NoCompletions`] where there is none.
    pub(crate) fn steps(&self) -> Result<Vec<u64>, TrainError> {
        let none = |why: String| TrainError::NoCompletions { dir: self.run.clone(), why };
        if !self.run.join("config.toml").exists() {
            return Err(TrainError::NoRun { dir: self.run.clone() });
        }
        let all = completed_steps(&self.run).map_err(|e| none(e.to_string()))?;
        let last = self.last_step.unwrap_or(u64::MAX);
        let steps: Vec<u64> =
            all.iter().copied().filter(|step| (self.first_step..=last).contains(step)).collect();
        if steps.is_empty() {
            let there = all.last().map_or(0, |last| *last);
            return Err(none(format!("none from step {} on, of {there} steps", self.first_step)));
        }
        Ok(steps)
    }
}

/// Gives a recipe on a run's completions what it leaves to that run: the policy that the run began with, how prompts and
/// turns are written, the reward, the evaluation. Says whether there was anything.
pub(super) fn take_over(recipe: &mut toml::Table) -> Result<bool, TrainError> {
    let of_data = |table: &toml::Table| {
        Some(PathBuf::from(table.get("data")?.get("completions")?.get("run")?.as_str()?))
    };
    let Some(run) = of_data(recipe) else { return Ok(false) };
    // A run that is not there is told when it is read.
    let Ok(text) = std::fs::read_to_string(run.join("config.toml")) else { return Ok(false) };
    let broken = |e: toml::de::Error| TrainError::Recipe(format!("{}: {}", run.display(), e.message()));
    let mut of_run: toml::Table = toml::from_str(&text).map_err(broken)?;
    // One that leaves nothing out is one that a run wrote down: it says what there is, to the last setting.
    if of_run.keys().all(|key| recipe.contains_key(key)) {
        return Ok(false);
    }
    if of_run.get("policy").is_some_and(|policy| policy.get("fresh").is_some()) {
        let start = toml::Table::from_iter([("dir".to_owned(), path_value(&run.join("start")))]);
        of_run.insert("policy".to_owned(), start.into());
    }
    for (key, value) in of_run.into_iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
        match (recipe.get_mut(&key), value) {
            (None, value) => drop(recipe.insert(key, value)),
            (Some(toml::Value::Table(own)), toml::Value::Table(of_run))
                if IN_PART.contains(&key.as_str()) =>
            {
                for (key, value) in of_run {
                    own.entry(key).or_insert(value);
                }
            }
            _ => {}
        }
    }
    Ok(true)
}

fn path_value(path: &Path) -> toml::Value {
    toml::Value::String(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PolicySource, Recipe};

    fn recipe(dir: &Path, set: &[&str]) -> Result<Recipe, TrainError> {
        let text = "name = \"d\"\n[train]\nmethod = \"dpo\"\n[eval]\nlimit = 3\n";
        let run = format!("data.completions.run={:?}", dir.display().to_string());
        let set: Vec<String> = set.iter().map(|s| s.to_string()).chain([run]).collect();
        Recipe::parse(text, &set)
    }

    #[test]
    fn what_is_left_out_is_that_of_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let alone = recipe(dir.path(), &[]).unwrap();
        assert_eq!((alone.policy.as_ref(), alone.eval.max_new_tokens, alone.seed), (None, 256, 0));
        let config = "name = \"r\"\nseed = 5\nprecision = \"bf16\"\ndialect = \"hermes\"\nprompt = \"chatml\"\nreward = \"star\"\n\
                      [policy.fresh]\n[train]\nmethod = \"grpo\"\n[eval]\nlimit = 9\nmax_new_tokens = 7\n";
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        let found = recipe(dir.path(), &[]).unwrap();
        assert_eq!((found.name.as_str(), found.seed, found.prompt.as_str()), ("d", 0, "chatml"));
        assert_eq!(found.policy, Some(PolicySource::Dir(dir.path().join("start"))));
        assert_eq!((found.eval.limit, found.eval.max_new_tokens), (Some(3), 7));
        assert_eq!(found.reward.terms[0].id, "rouge_values");
        let other = recipe(dir.path(), &["policy.dir=elsewhere", "reward=tool-n1"]).unwrap();
        assert_eq!(other.policy, Some(PolicySource::Dir("elsewhere".into())));
        assert_ne!(other.reward, found.reward);
    }

    #[test]
    fn what_means_nothing_is_refused_by_its_key() {
        let dir = tempfile::tempdir().unwrap();
        for (set, expected) in [
            ("first_step=0", "data.completions.first_step should be at least 1"),
            ("last_step=0", "data.completions.last_step = 0 should be at least first_step = 1"),
            ("min_reward=nan", "data.completions.min_reward = NaN"),
            ("min_margin=-1", "data.completions.min_margin = -1 should be 0 or more"),
            ("min_margins=1", "unknown field `min_margins`"),
        ] {
            let set = format!("data.completions.{set}");
            let message = recipe(dir.path(), &[&set]).unwrap_err().to_string();
            assert!(message.contains(expected), "{set}: {message}");
        }
        for (set, expected) in [
            (&["train.method=grpo"][..], "train.method = \"grpo\" samples its own replies"),
            (&["train.loss.beta=0"], "train.loss.beta = 0: expected above 0"),
            (&["train.beta=1"], "expected one of epochs"),
        ] {
            let message = recipe(dir.path(), set).unwrap_err().to_string();
            assert!(message.contains(expected), "{set:?}: {message}");
        }
        let message =
            Recipe::parse("name = \"d\"\n[train]\nmethod = \"dpo\"\n", &[]).unwrap_err().to_string();
        assert!(message.contains("set data.completions.run"), "{message}");
    }
}
