//! A run that goes on: where from, and whether it is still the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toolrl_record::{Summary, write_whole};

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
    /// Whether the run's files may hold something else from now on than they would have.
    pub(crate) is_other: bool,
    /// Whether the run was over, and is to be longer than it was.
    is_extended: bool,
    changed: Vec<String>,
}

/// What was set anew.
struct Differences {
    /// What would change results.
    refused: Vec<String>,
    /// What changes no step, but when the run ends or which policy it leaves: it is recorded.
    told: Vec<String>,
}

/// Settings that change no weight: by the beginning of their key. (What the device turns out to be stands in the
/// run's [`Identity`].)
const HARMLESS: [&str; 17] = [
    "name",
    "device",
    "eval.",
    "train.checkpoint_",
    "train.kept_prompts_mib",
    "train.guards.max_logprob_gap",
    "trackers",
    "sampler.urls",
    "sampler.weights_dir",
    "sampler.key_file",
    "sampler.probe_limit",
    "sampler.keep",
    "sampler.concurrency",
    "sampler.timeout",
    "sampler.attempts",
    "sampler.rest",
    "sampler.patience",
];

/// Settings that change no step, but when a run ends or which policy it leaves.
const ENDING: [&str; 4] = ["eval.every", "eval.stop", "eval.best", "eval.final"];

impl Resume {
    /// Looks for the last checkpoint of a run, or that of a step, and verifies every file of it. A run that is over goes on
    /// from its last step where `overrides` raise the number of its steps, or where its evaluations ended it and they
    /// change `eval.stop`.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::Finished`], [`TrainError::NoLastState`], [`TrainError::NoCheckpoint`],
    /// [`TrainError::Damaged`] with the last whole one, [`TrainError::Changed`] for overrides that would change results.
    pub fn of(
        run_dir: &Path,
        overrides: &[String],
        step: Option<u64>,
        changes: Changes,
    ) -> Result<Self, TrainError> {
        let config = run_dir.join("config.toml");
        let text =
            std::fs::read_to_string(&config).map_err(|_| TrainError::NoRun { dir: run_dir.to_owned() })?;
        let summary = run_dir.join("summary.json");
        let over = summary.exists().then(|| Summary::read(&summary)).transpose()?;
        let (before, recipe) = (Recipe::parse(&text, &[])?, Recipe::parse(&text, overrides)?);
        let done = over.as_ref().map(|over| over.steps);
        if let Some(over) = over.as_ref().filter(|over| !goes_on(over, &before, &recipe)) {
            return Err(finished(run_dir, over, &before));
        }
        let Differences { refused, told } = differences(&before, &recipe, done)?;
        if changes == Changes::Refuse && !refused.is_empty() {
            return Err(TrainError::Changed { dir: run_dir.to_owned(), what: refused });
        }
        let same_evaluation = before.eval.evaluates_as(&recipe.eval);
        let is_other = !refused.is_empty() || !same_evaluation;
        let changed = [refused, told].concat();
        let checkpoints = Checkpoints::of(run_dir);
        let is_extended = over.is_some();
        let (step, checkpoint) = match (step, done) {
            (None, Some(done)) => match checkpoints.of_last(done)? {
                Some(last) => (done, Some(last)),
                None => return Err(TrainError::NoLastState { dir: run_dir.to_owned() }),
            },
            (None, None) if checkpoints.steps().is_empty() => (0, None),
            (step, _) => checkpoints.verified(step).map(|(step, dir)| (step, Some(dir)))?,
        };
        Ok(Self { recipe, step, checkpoint, changes, same_evaluation, is_other, is_extended, changed })
    }

    /// A recipe that goes on at a step that is known.
    pub(crate) fn at(recipe: Recipe, step: u64, checkpoint: Option<PathBuf>, changes: Changes) -> Self {
        Self {
            recipe,
            step,
            checkpoint,
            changes,
            same_evaluation: true,
            is_other: false,
            is_extended: false,
            changed: Vec::new(),
        }
    }

    /// Compares what else decides the results with what it was, and records the resume. A run that was over is one under
    /// way from then on. Gives the resume, from the checkpoint where that lies now.
    pub(crate) fn checked(&self, run_dir: &Path, now: &Identity) -> Result<Self, TrainError> {
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
        write_whole(&path, rows.as_bytes())?;
        if before.eval_sets != now.eval_sets {
            Identity { eval_sets: now.eval_sets.clone(), ..before }.write(run_dir)?;
        }
        let resume = Self { is_other: self.is_other || !what.is_empty(), ..self.clone() };
        if self.is_extended { resume.reopened(run_dir) } else { Ok(resume) }
    }

    /// Takes a run up again that was over. Its last state has a place among its checkpoints before the summary goes, so
    /// that whatever cuts this off leaves a run that is over, or one that goes on; its final policy stays until there is
    /// another.
    fn reopened(&self, run_dir: &Path) -> Result<Self, TrainError> {
        let checkpoints = Checkpoints::of(run_dir);
        let checkpoint = match &self.checkpoint {
            Some(dir) if checkpoints.is_last(dir) => Some(checkpoints.take_up_last(self.step)?),
            earlier => earlier.clone(),
        };
        let path = run_dir.join("summary.json");
        std::fs::remove_file(&path).map_err(|source| TrainError::Write { path, source })?;
        Ok(Self { checkpoint, ..self.clone() })
    }
}

/// Whether a run that is over has something to do by a recipe.
fn goes_on(over: &Summary, before: &Recipe, recipe: &Recipe) -> bool {
    match over.stopped_early {
        Some(_) => before.eval.stop != recipe.eval.stop,
        None => recipe.is_longer_than(before, Some(over.steps)),
    }
}

fn finished(run_dir: &Path, over: &Summary, before: &Recipe) -> TrainError {
    let steps = || format!("--set train.steps=N, with more than its {} steps,", over.steps);
    let longer = match (&over.stopped_early, before.train.epochs()) {
        (Some(_), _) => "--set eval.stop.patience=N, with more than it had,".to_owned(),
        (None, Some(epochs)) => format!("--set train.epochs=N, with more than its {epochs},"),
        (None, None) => steps(),
    };
    let way_on = match Checkpoints::of(run_dir).of_last(over.steps) {
        Ok(Some(_)) => format!("{longer} goes on"),
        // It kept no state of its last step.
        _ => format!("--policy {}/final trains it further", run_dir.display()),
    };
    TrainError::Finished { dir: run_dir.to_owned(), early: over.stopped_early.is_some(), way_on }
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

/// The settings that differ, but for the harmless ones: `key: old -> new`. `done` are the steps of a run that is over.
fn differences(before: &Recipe, after: &Recipe, done: Option<u64>) -> Result<Differences, TrainError> {
    let (old, new) = (settings(before)?, settings(after)?);
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let harmless = |key: &str| HARMLESS.iter().any(|start| key.starts_with(start));
    let shown = |value: Option<&toml::Value>| value.map_or_else(|| "none".to_owned(), toml::Value::to_string);
    let is_longer = after.is_longer_than(before, done);
    let follows = [before.follows_its_length(), after.follows_its_length()].concat();
    let mut found = Differences { refused: Vec::new(), told: Vec::new() };
    for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
        let what = format!("{key}: {} -> {}", shown(old.get(key)), shown(new.get(key)));
        let is_length = ["train.steps", "train.epochs"].contains(&key.as_str()) && is_longer;
        match follows.first() {
            _ if ENDING.iter().any(|start| key.starts_with(start)) => found.told.push(what),
            _ if harmless(key) => {}
            None if is_length => found.told.push(what),
            Some(by) if is_length => found.refused.push(format!("{what}, on which {by} depends")),
            _ => found.refused.push(what),
        }
    }
    Ok(found)
}

/// A recipe's settings by the paths of their keys.
pub(crate) fn settings(recipe: &Recipe) -> Result<BTreeMap<String, toml::Value>, TrainError> {
    let mut settings = BTreeMap::new();
    let table: toml::Table =
        toml::from_str(&recipe.to_toml()?).map_err(|e| TrainError::Recipe(e.to_string()))?;
    flatten("", &toml::Value::Table(table), &mut settings);
    Ok(settings)
}

fn flatten(path: &str, value: &toml::Value, settings: &mut BTreeMap<String, toml::Value>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, settings);
            }
        }
        other => drop(settings.insert(path.to_owned(), other.clone())),
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
            let (before, after) = (Recipe::parse(text, &[]).unwrap(), Recipe::parse(text, &set).unwrap());
            differences(&before, &after, None).unwrap().refused
        };
        assert_eq!(with(&["eval.every=2", "eval.stop.patience=1"]), [""; 0], "it is told and not refused");
        assert_eq!(with(&["train.steps=4"]), [""; 0], "more steps, of which none depends on their number");
        assert_eq!(with(&["train.steps=2"]), ["train.steps: 3 -> 2"]);
        let decays = with(&["train.steps=4", "train.optimizer.schedule.decay=linear"]);
        assert!(decays[1].contains("3 -> 4, on which train.optimizer.schedule depends"), "{decays:?}");
        assert_eq!(
            with(&[
                "train.checkpoint_every=5",
                "eval.limit=3",
                "name=b",
                "trackers=[{ kind='wandb', dir='w' }]"
            ]),
            [""; 0]
        );
        assert_eq!(with(&["train.guards.max_logprob_gap=0.5"]), [""; 0], "it stops a run, and changes none");
        assert_eq!(with(&["train.guards.on_fault=skip"]), ["train.guards.on_fault: \"stop\" -> \"skip\""]);
        let server =
            ["sampler.kind=vllm", "sampler.model=m", "sampler.sync=disk", "sampler.urls=['http://a']"];
        let of_server = |set: &[&str]| {
            let [before, after] = [server.to_vec(), [&server[..], set].concat()].map(|set| {
                let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
                Recipe::parse(text, &set).unwrap()
            });
            differences(&before, &after, None).unwrap().refused
        };
        let elsewhere =
            ["sampler.urls=['http://b', 'http://c']", "sampler.probe_limit=0.1", "sampler.patience=9"];
        assert_eq!(of_server(&elsewhere), [""; 0], "who answers changes no weight");
        assert_eq!(of_server(&["sampler.untie_head=true"]), ["sampler.untie_head: false -> true"]);
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
