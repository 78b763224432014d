//! A sampler and an environment from outside train two steps each, by their names in a recipe.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;

use toolrl_record::{completions_path, read_completions};

/// Trains the recipe of this folder with a further setting, in `dir`.
fn train(program: &str, dir: &Path, setting: &str) -> Result<PathBuf, String> {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/short.toml");
    let mut command = Command::new(program);
    command.current_dir(dir).args(["train", recipe.to_str().unwrap(), "--run-dir", "run", "--set", setting]);
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(dir.join("run")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn rows(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_sampler_of_its_own_holds_every_version() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(env!("CARGO_BIN_EXE_witness"), dir.path(), "sampler.kind=witness").unwrap();
    assert_eq!(rows(&run.join("metrics.jsonl")).len(), 2);
    let turns = std::fs::read_to_string(dir.path().join("turns.txt")).unwrap();
    let lines: Vec<&str> = turns.lines().collect();
    // Evaluations of four tasks before and after, and two steps of two groups of four.
    let expected = ["version 0: 4 turns", "version 0: 8 turns", "version 1: 8 turns", "version 2: 4 turns"];
    assert_eq!(lines, expected);
}

#[test]
fn an_environment_of_its_own_answers_and_judges() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(env!("CARGO_BIN_EXE_clerk"), dir.path(), "environment.kind=clerk").unwrap();
    let steps = rows(&run.join("metrics.jsonl"));
    assert_eq!(steps.len(), 2);
    let mut answered = 0;
    for step in &steps {
        assert!(step["components"]["outcome"].as_f64().is_some(), "{step}");
        // The trainer's log-probabilities of every turn are the sampler's.
        assert!(step["logprob_gap"]["max"].as_f64().unwrap() < 1e-3, "{step}");
        let completions = read_completions(&completions_path(&run, step["step"].as_u64().unwrap())).unwrap();
        answered += completions.iter().filter(|c| c.prompt.contains(" is done")).count();
    }
    assert!(answered > 0, "no call was answered");
}

#[test]
fn a_name_that_is_not_registered_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let message = train(env!("CARGO_BIN_EXE_clerk"), dir.path(), "environment.kind=cleric").unwrap_err();
    assert!(message.contains("no environment \"cleric\": expected gold, clerk"), "{message}");
}

#[test]
fn neither_takes_sixty_lines() {
    for code in [include_str!("../src/bin/witness.rs"), include_str!("../src/bin/clerk.rs")] {
        assert!(code.lines().count() < 60, "{} lines", code.lines().count());
    }
}
