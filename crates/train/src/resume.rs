//! A run that goes on: where from, and whether it is still the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toolrl_record::write_whole;

use crate::checkpoint::Checkpoints;
use crate::identity::Identity;
use crate::{Recipe, TrainError};

/// What is done about changes that would change a run's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The run is not resumed.
    Refuse,
    /// They are recorded in `resumes.jsonl`, and the run goes on.
    Record,
}

/// Where a run goes on.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The run's recipe, with what is set anew.
    pub recipe: Recipe,
    /// Steps that are done.
    pub step: u64,
    /// The checkpoint; none where the run was cut off before its first one, and so begins anew.
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) changes: Changes,
    /// Whether policies are evaluated as they were when the run began.
    pub(crate) same_evaluation: bool,
    changed: Vec<String>,
}

/// Settings that change no weight: by the beginning of their key. (What the device turns out to be stands in the
/// run's [`Identity`].)
const HARMLESS: [&str; 5] = ["name", "device", "eval.", "train.checkpoint_", "train.guards.max_logprob_gap"];

impl Resume {
    /// Looks for the last checkpoint of a run, or that of a step, and verifies every file of it.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::Finished`], [`TrainError::NoCheckpoint`], [`TrainError::Damaged`] with the
    /// last whole one, [`TrainError::Changed`] for overrides that would change results.
    pub fn of(
        run_dir: &Path,
        overrides: &[String],
        step: Option<u64>,
        changes: Changes,
    ) -> Result<Self, TrainError> {
        let config = run_dir.join("config.toml");
        let text =
            std::fs::read_to_string(&config).map_err(|_| TrainError::NoRun { dir: run_dir.to_owned() })?;
        if run_dir.join("summary.json").exists() {
            return Err(TrainError::Finished { dir: run_dir.to_owned() });
        }
        let (before, recipe) = (Recipe::parse(&text, &[])?, Recipe::parse(&text, overrides)?);
        let changed = differences(&before, &recipe)?;
        let same_evaluation = before.eval == recipe.eval;
        if changes == Changes::Refuse && !changed.is_empty() {
            return Err(TrainError::Changed { dir: run_dir.to_owned(), what: changed });
        }
        let checkpoints = Checkpoints::of(run_dir);
        if step.is_none() && checkpoints.steps().is_empty() {
            return Ok(Self { recipe, step: 0, checkpoint: None, changes, same_evaluation, changed });
        }
        let (step, dir) = checkpoints.verified(step)?;
        Ok(Self { recipe, step, checkpoint: Some(dir), changes, same_evaluation, changed })
    }

    /// A recipe that goes on at a step that is known.
    pub(crate) fn at(recipe: Recipe, step: u64, checkpoint: Option<PathBuf>, changes: Changes) -> Self {
        Self { recipe, step, checkpoint, changes, same_evaluation: true, changed: Vec::new() }
    }

    /// Compares what else decides the results with what it was, and records the resume.
    pub(crate) fn check(&self, run_dir: &Path, now: &Identity) -> Result<(), TrainError> {
        let before = Identity::read(run_dir)?;
        let what = before.differences(now);
        if self.changes == Changes::Refuse && !what.is_empty() {
            return Err(TrainError::Changed { dir: run_dir.to_owned(), what });
        }
        let changed = [self.changed.as_slice(), &what].concat();
        let row = serde_json::json!({ "after_step": self.step, "changed": changed, "program": now.program });
        let path = run_dir.join("resumes.jsonl");
        let failed = |source| TrainError::Write { path: path.clone(), source };
        let mut rows = match std::fs::read_to_string(&path) {
            Ok(rows) => rows,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(failed(source)),
        };
        rows += &format!("{row}\n");
        Ok(write_whole(&path, rows.as_bytes())?)
    }
}

/// Copies those files of a run that are there into a new directory, in the place of an older one.
pub(crate) fn copy_files(run_dir: &Path, to: &Path, names: &[&str]) -> Result<(), TrainError> {
    let failed = |source| TrainError::Write { path: to.to_owned(), source };
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(failed)?;
    }
    std::fs::create_dir_all(to).map_err(failed)?;
    for name in names.iter().filter(|name| run_dir.join(name).exists()) {
        std::fs::copy(run_dir.join(name), to.join(name)).map_err(failed)?;
    }
    Ok(())
}

/// The settings that differ, but for the harmless ones: `key: old -> new`.
fn differences(before: &Recipe, after: &Recipe) -> Result<Vec<String>, TrainError> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    for (recipe, settings) in [(before, &mut old), (after, &mut new)] {
        let table: toml::Table =
            toml::from_str(&recipe.to_toml()?).map_err(|e| TrainError::Recipe(e.to_string()))?;
        flatten("", &toml::Value::Table(table), settings);
    }
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let harmless = |key: &str| HARMLESS.iter().any(|start| key.starts_with(start));
    let shown = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
    let differ = |key: &&&String| old.get(**key) != new.get(**key) && !harmless(key);
    let keys = keys.iter().filter(differ);
    Ok(keys.map(|key| format!("{key}: {} -> {}", shown(old.get(*key)), shown(new.get(*key)))).collect())
}

fn flatten(path: &str, value: &toml::Value, settings: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, settings);
            }
        }
        other => drop(settings.insert(path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_and_harmless_settings_are_not() {
        let text = "name = \"a\"\n[train]\nmethod = \"grpo\"\nsteps = 3\n";
        let with = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            differences(&Recipe::parse(text, &[]).unwrap(), &Recipe::parse(text, &set).unwrap()).unwrap()
        };
        assert_eq!(with(&["train.checkpoint_every=5", "eval.limit=3", "name=b"]), [""; 0]);
        assert_eq!(with(&["train.guards.max_logprob_gap=0.5"]), [""; 0], "it stops a run, and changes none");
        assert_eq!(with(&["train.guards.on_fault=skip"]), ["train.guards.on_fault: \"stop\" -> \"skip\""]);
        assert_eq!(with(&["train.optimizer.lr=0.5"]), ["train.optimizer.lr: 0.000001 -> 0.5"]);
        assert_eq!(with(&["train.passes=2"]), ["train.passes: 1 -> 2"]);
        assert_eq!(with(&["train.loss.dual_clip=3"]), ["train.loss.dual_clip: none -> 3.0"]);
        let reference = with(&["train.kl_penalty.target=6", "train.reference={ every = 8 }"]).join("\n");
        for part in [
            "train.kl_penalty.target: none -> 6.0",
            "train.reference.every: none -> 8",
            "train.reference: \"start\" -> none",
        ] {
            assert!(reference.contains(part), "{part}: {reference}");
        }
        assert_eq!(with(&["train.overlong={ buffer = 3 }", "seed=2"]).len(), 3, "buffer, penalty, seed");
    }
}
