//! What decides a run's results beside its recipe.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toolrl_data::Sample;
use toolrl_policy::{Isa, PolicyPlace, Precision};
use toolrl_record::write_whole;
use toolrl_reward::Rubric;

use crate::TrainError;
use crate::completions::GroupCounts;
use crate::evaluation::LoadedSet;
use crate::limit::OverlongCounts;
use crate::stage::{Counts, Stage};
use crate::start::Start;
use crate::task::Data;

/// What decides a run's results beside its recipe: `run.json`. Runs of earlier versions lack some of it, which is then
/// not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The program and its version.
    pub program: String,
    /// Checksum of all samples, those held out included.
    #[serde(default)]
    pub samples: Option<String>,
    /// Checksum of the conversations and tools of the samples held out, which is the same in every dialect.
    #[serde(default)]
    pub held_out: Option<String>,
    /// Checksum of the training samples as the policy's template and tokenizer give them to it.
    #[serde(default)]
    pub prompts: Option<String>,
    /// Checksum of the files of the policy that the run began with: weights, tokenizer, templates, settings.
    #[serde(default)]
    pub policy: Option<String>,
    /// Checksums of the programs that the reward asks, by term; none where it asks none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewards: Option<String>,
    /// The vector instructions that sums are made with: they decide how a sum is rounded.
    pub cpu: String,
    /// What it is computed on.
    #[serde(default = "on_the_cpu")]
    pub device: String,
    /// Training samples that were too long.
    #[serde(default)]
    pub overlong: OverlongCounts,
    /// Checksums of the further evaluation sets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub eval_sets: BTreeMap<String, String>,
    /// Of a run on another's completions: which of its groups are learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupCounts>,
}

/// What runs were computed on that do not say.
fn on_the_cpu() -> String {
    "cpu".to_owned()
}

impl Identity {
    /// The name of its file.
    pub(crate) const NAME: &'static str = "run.json";

    /// That of a run on these samples by this reward, which begins with this policy.
    pub(crate) fn of(
        (data, stage, Counts { overlong, groups }): (&Data, &Stage, Counts),
        (sets, rubric): (&[LoadedSet], &Rubric),
        start: &Start,
        device: &str,
    ) -> Result<Self, TrainError> {
        let rewards: Vec<_> = rubric.fingerprints().map(|(id, print)| format!("{id} {print}")).collect();
        Ok(Self {
            program: concat!("toolrl ", env!("CARGO_PKG_VERSION")).to_owned(),
            samples: Some(of_samples(data.train.iter().chain(&data.held_out))),
            held_out: Some(of_conversations(&data.held_out)),
            prompts: Some(format!("{:08x}", stage.checksum())),
            policy: Some(of_policy(&start.dir, start.base.as_deref())?),
            rewards: (!rewards.is_empty()).then(|| rewards.join(", ")),
            cpu: instructions(start.policy.precision()).to_owned(),
            device: device.to_owned(),
            overlong,
            groups,
            eval_sets: sets.iter().map(|set| (set.name.clone(), of_samples(&set.samples))).collect(),
        })
    }

    pub(crate) fn write(&self, run_dir: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(write_whole(&run_dir.join(Self::NAME), &json)?)
    }

    pub(crate) fn read(run_dir: &Path) -> Result<Self, TrainError> {
        let path = run_dir.join(Self::NAME);
        let broken = |what: String| TrainError::CheckpointFile { path: path.clone(), what };
        let bytes = std::fs::read(&path).map_err(|e| broken(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))
    }

    /// What is another now: `what: old -> new`.
    pub(crate) fn differences(&self, now: &Self) -> Vec<String> {
        let known = |old: &Option<String>, new: &Option<String>| Some((old.clone()?, new.clone()?));
        let same = || (String::new(), String::new());
        let fields = [
            ("program", (self.program.clone(), now.program.clone())),
            ("data, by its checksum", known(&self.samples, &now.samples).unwrap_or_else(same)),
            (
                "prompts as the template and the tokenizer make them, by their checksum",
                known(&self.prompts, &now.prompts).unwrap_or_else(same),
            ),
            (
                "files of the policy that the run began with, by their checksum",
                known(&self.policy, &now.policy).unwrap_or_else(same),
            ),
            (
                "programs of the reward, by their checksums",
                known(&self.rewards, &now.rewards).unwrap_or_else(same),
            ),
            ("vector instructions", (self.cpu.clone(), now.cpu.clone())),
            ("device", (self.device.clone(), now.device.clone())),
        ];
        let fields = fields.into_iter().map(|(what, values)| (what.to_owned(), values));
        // One that was added or left out is a setting's change.
        let of_sets = self.eval_sets.iter().filter_map(|(name, old)| {
            let what = format!("data of the evaluation set {name}, by its checksum");
            Some((what, (old.clone(), now.eval_sets.get(name)?.clone())))
        });
        let differ = fields.chain(of_sets).filter(|(_, (old, new))| old != new);
        differ.map(|(what, (old, new))| format!("{what}: {old} -> {new}")).collect()
    }
}

/// The vector instructions that fix in which order the CPU's sums of a policy in this precision are rounded.
fn instructions(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => Isa::current().in_f32().name(),
        Precision::Bf16 => Isa::current().name(),
    }
}

/// CRC-32C of whole samples.
fn of_samples<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> String {
    of_json(samples.into_iter().map(|sample| json!(sample)))
}

/// CRC-32C of the samples' messages and tools.
pub(crate) fn of_conversations(samples: &[Sample]) -> String {
    of_json(samples.iter().map(|sample| json!([sample.messages, sample.tools])))
}

fn of_json(values: impl Iterator<Item = Value>) -> String {
    let append = |crc, value: Value| {
        let text = value.to_string();
        let crc = crc32c::crc32c_append(crc, &(text.len() as u64).to_le_bytes());
        crc32c::crc32c_append(crc, text.as_bytes())
    };
    format!("{:08x}", values.fold(0, append))
}

/// The checksum of a policy's files, and of those of the base model of adapters.
fn of_policy(dir: &Path, base: Option<&Path>) -> Result<String, TrainError> {
    let of_base = base.map(of_files).transpose()?;
    let of_base = of_base.map(|crc| format!(" on {crc:08x}")).unwrap_or_default();
    Ok(format!("{:08x}{of_base}", of_files(dir)?))
}

/// Whether a run began with the policy that is in a directory now. So says also a run of an earlier version, which did not
/// write down what it began with, and one whose start, or the base model of that, is no longer there.
///
/// # Errors
/// [`TrainError`] for files that are there and cannot be read.
pub fn began_with(run_dir: &Path, start: &Path) -> Result<bool, TrainError> {
    if !run_dir.join(Identity::NAME).exists() || !start.exists() {
        return Ok(true);
    }
    let Some(begun) = Identity::read(run_dir)?.policy else { return Ok(true) };
    let base = PolicyPlace::from(start).base()?;
    if base.as_deref().is_some_and(|base| !base.exists()) {
        return Ok(true);
    }
    Ok(begun == of_policy(start, base.as_deref())?)
}

/// CRC-32C of a model directory's files, with their names: those of the kinds that such a directory is read from.
fn of_files(dir: &Path) -> Result<u32, TrainError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| TrainError::CheckpointFile { path, what: e.to_string() }
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        let kind = path.extension().and_then(|extension| extension.to_str());
        if matches!(kind, Some("safetensors" | "json" | "jinja" | "model" | "txt")) {
            files.push(path);
        }
    }
    files.sort();
    let (mut crc, mut buffer) = (0, vec![0; 1 << 20]);
    for path in &files {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        crc = crc32c::crc32c_append(crc, name);
        let mut file = File::open(path).map_err(failed(path))?;
        loop {
            let n = file.read(&mut buffer).map_err(failed(path))?;
            if n == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &buffer[..n]);
        }
    }
    Ok(crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ_by_name() {
        let known = |text: &str| Some(text.to_owned());
        let a =
            Identity { samples: known("00"), prompts: known("1"), policy: known("2"), ..Identity::default() };
        let a = Identity { rewards: known("judge 4"), ..a };
        let b = Identity { samples: known("01"), policy: known("3"), rewards: known("judge 5"), ..a.clone() };
        let differences = a.differences(&b);
        assert_eq!(differences[0], "data, by its checksum: 00 -> 01");
        assert!(differences[1].starts_with("files of the policy"), "{differences:?}");
        assert_eq!(differences[2], "programs of the reward, by their checksums: judge 4 -> judge 5");
        assert_eq!(differences.len(), 3);
        let sets = |crc: &str| [("mine".to_owned(), crc.to_owned())].into();
        let (old, new) =
            (Identity { eval_sets: sets("5"), ..a.clone() }, Identity { eval_sets: sets("6"), ..a.clone() });
        assert_eq!(old.differences(&new), ["data of the evaluation set mine, by its checksum: 5 -> 6"]);
        assert_eq!(old.differences(&a), [""; 0], "a set fewer is a setting's change");
        let older = Identity { prompts: None, policy: None, rewards: None, ..a.clone() };
        assert_eq!(older.differences(&a), [""; 0], "an older run does not say");
        let dir = tempfile::tempdir().unwrap();
        a.write(dir.path()).unwrap();
        assert_eq!(Identity::read(dir.path()).unwrap(), a);
    }

    #[test]
    fn a_run_began_with_the_files_that_it_wrote_down() {
        let dir = tempfile::tempdir().unwrap();
        let (run, start) = (dir.path().join("run"), dir.path().join("start"));
        for made in [&run, &start] {
            std::fs::create_dir(made).unwrap();
        }
        let write = |text: &str| std::fs::write(start.join("model.safetensors"), text).unwrap();
        let began = || began_with(&run, &start).unwrap();
        write("weights");
        assert!(began(), "an older run has no such file");
        let policy = Some(of_policy(&start, None).unwrap());
        Identity { policy: None, ..Identity::default() }.write(&run).unwrap();
        assert!(began(), "nor does an older file say");
        Identity { policy, ..Identity::default() }.write(&run).unwrap();
        assert!(began());
        write("wEights");
        assert!(!began());
        std::fs::remove_dir_all(&start).unwrap();
        assert!(began(), "there is nothing to compare with");
    }

    #[test]
    fn a_model_directory_is_its_files_by_name_and_content() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let sum = || of_files(dir.path()).unwrap();
        write("model.safetensors", "weights");
        write("config.json", "{}");
        let first = sum();
        write("README.md", "words");
        assert_eq!(sum(), first);
        write("chat_template.jinja", "{{ x }}");
        assert_ne!(sum(), first);
        std::fs::remove_file(dir.path().join("chat_template.jinja")).unwrap();
        assert_eq!(sum(), first);
        write("model.safetensors", "wEights");
        assert_ne!(sum(), first);
    }
}
