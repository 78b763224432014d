//! The downstream binary trains two steps with its own term.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::Path;
use std::process::{Command, Output};

fn downstream(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_downstream")).args(args).output().unwrap()
}

#[test]
fn two_steps_with_a_term_of_its_own() {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe.toml");
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = downstream(&["train", recipe.to_str().unwrap(), "--run-dir", run.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = metrics.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let part = |name: &str| row["components"][name].as_f64().unwrap();
        assert!((-1.0..=0.0).contains(&part("brevity")));
        let total = part("format") + part("correctness") + 0.5 * part("brevity");
        assert!((row["reward"]["mean"].as_f64().unwrap() - total).abs() < 1e-9);
    }
}

#[test]
fn a_wrong_setting_of_the_term_is_named() {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe.toml");
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.toml");
    let text = std::fs::read_to_string(recipe).unwrap().replace("price", "prize");
    std::fs::write(&broken, text).unwrap();
    let output = downstream(&["train", broken.to_str().unwrap(), "--dry-run"]);
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("brevity") && message.contains("prize"), "{message}");
}
