//! The commands as a script sees them: exit code, standard output, standard error, files.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod bad_input;
mod benchmarks;
mod calls;
mod data;
mod devices;
mod eval;
mod evaluations;
mod export;
mod extended;
mod following;
mod gpu;
mod guards;
mod hub;
mod native;
mod offline;
mod policy;
mod resume;
mod reward;
mod sampling;
mod scorers;
mod settings;
mod study;
mod tasks;
mod trackers;
mod train;
mod wide;
mod words;
mod workbench;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A policy with its tokenizer: the one that the binary holds.
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/quickstart");

/// Settings that make a GRPO run of the quickstart take seconds.
const TINY_GRPO: [&str; 12] = [
    "train.steps=2",
    "train.prompts=2",
    "train.group_size=4",
    "train.max_prompt_tokens=512",
    "train.optimizer.lr=1e-4",
    "sampling.max_new_tokens=48",
    "data.world.train=64",
    "data.world.held_out=12",
    "eval.limit=4",
    "eval.max_new_tokens=48",
    "slots=8",
    "seed=3",
];

/// What a command did.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command in a directory.
fn toolrl(dir: &Path, args: &[&str]) -> Ran {
    toolrl_in(&[], dir, args)
}

/// As [`toolrl`], with environment variables.
fn toolrl_in(environment: &[(&str, &str)], dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrl"));
    let output = command.args(args).envs(environment.iter().copied()).current_dir(dir).output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Trains with these settings, and whatever else is given.
fn train(dir: &Path, args: &[&str], settings: &[&str]) -> Ran {
    let mut all = vec!["train"];
    all.extend(args);
    all.extend(settings.iter().flat_map(|s| ["--set", s]));
    toolrl(dir, &all)
}

impl Ran {
    /// The standard output of a command that worked.
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The rows of a command that worked: every line of its standard output is JSON.
    fn rows(self) -> Vec<Value> {
        json_lines(&self.ok())
    }

    /// The message of a command that failed, which begins with `error: ` and is the last that it says.
    fn error(self) -> String {
        assert_eq!(self.code, Some(1), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        let start = self.stderr.find("error: ").unwrap_or_else(|| panic!("no error in {:?}", self.stderr));
        self.stderr[start..].trim_end().to_owned()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The JSON lines of a file.
fn json_lines_of(path: impl AsRef<Path>) -> Vec<Value> {
    json_lines(&std::fs::read_to_string(path).unwrap())
}

/// The rows of a run's `metrics.jsonl`.
fn metrics(run: impl AsRef<Path>) -> Vec<Value> {
    json_lines_of(run.as_ref().join("metrics.jsonl"))
}

/// As [`metrics`], without their seconds.
fn untimed_metrics(run: impl AsRef<Path>) -> Vec<Value> {
    let mut rows = metrics(run);
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().shift_remove("seconds")));
    rows
}

/// Writes a file and returns its path as text.
fn file(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Copies the policy's files to `dir/name` but for those left out, and returns the directory as text.
fn copy_policy(dir: &Path, name: &str, without: &[&str]) -> String {
    let to = dir.join(name);
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(POLICY).unwrap() {
        let entry = entry.unwrap();
        if !without.iter().any(|w| entry.file_name() == *w) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to.to_str().unwrap().to_owned()
}

/// Copies the policy with every weight made NaN: in f32 and bf16 alike, that is all bits set.
fn nan_policy(dir: &Path) -> String {
    let policy = copy_policy(dir, "nan", &[]);
    let path = Path::new(&policy).join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].fill(0xFF);
    std::fs::write(path, bytes).unwrap();
    policy
}

/// Every file below a directory, with its bytes.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}
