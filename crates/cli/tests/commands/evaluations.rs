//! Evaluations in the course of a run: on held-out tasks and on benchmarks.

use std::path::Path;

use serde_json::Value;

use crate::{TINY_GRPO, json_lines, toolrl, train};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// A recipe that evaluates after every second step, as a file in the directory.
fn recipe(dir: &Path) {
    let benchmarks = format!(
        r#"
        [[eval.benchmarks]]
        benchmark = "bfcl"
        data = "{FIXTURES}/bfcl_v3"
        categories = ["simple", "irrelevance", "multi_turn_base"]
        per_category = 1
        max_new_tokens = 24
        [[eval.benchmarks]]
        benchmark = "api-bank"
        data = "{FIXTURES}/api_bank"
        limit = 2
        max_new_tokens = 24
        [[eval.benchmarks]]
        benchmark = "bamboogle"
        data = "{FIXTURES}/bamboogle"
        documents = "{FIXTURES}/documents"
        limit = 1
        max_new_tokens = 24
        "#
    );
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/quickstart.toml");
    let text = std::fs::read_to_string(quickstart).unwrap();
    std::fs::write(dir.join("mine.toml"), format!("{text}\n{benchmarks}")).unwrap();
}

/// (step, evaluation, scores) of a run's rows.
fn rows(run: &Path) -> Vec<(u64, String, Value)> {
    let rows = json_lines(&std::fs::read_to_string(run.join("evaluations.jsonl")).unwrap());
    let of = |row: Value| {
        (row["step"].as_u64().unwrap(), row["evaluation"].as_str().unwrap().to_owned(), row["scores"].clone())
    };
    rows.into_iter().map(of).collect()
}

const STEPS: [&str; 3] = ["train.steps=5", "train.checkpoint_every=3", "eval.every=2"];

#[test]
fn a_run_is_evaluated_in_its_course_and_a_resumed_one_has_each_row_once() {
    let dir = tempfile::tempdir().unwrap();
    recipe(dir.path());
    let settings = [&TINY_GRPO[..], &STEPS].concat();
    train(dir.path(), &["mine.toml", "--run-dir", "whole"], &settings).ok();
    let whole = rows(&dir.path().join("whole"));
    let names: Vec<_> = whole.iter().map(|(step, name, _)| (*step, name.as_str())).collect();
    let each = ["held-out", "bfcl", "api-bank", "bamboogle"];
    let expected: Vec<_> = [0, 2, 4, 5].into_iter().flat_map(|step| each.map(|name| (step, name))).collect();
    assert_eq!(names, expected);
    for (step, name, scores) in &whole {
        assert!(!scores.as_object().unwrap().is_empty(), "{step} {name}");
    }
    let outcomes = dir.path().join("whole/evaluations/step-00004/bfcl.jsonl");
    assert_eq!(std::fs::read_to_string(outcomes).unwrap().lines().count(), 1 + 3, "a header and three cases");
    let report = std::fs::read_to_string(dir.path().join("whole/report.html")).unwrap();
    assert!(report.contains("Evaluations in the course of the run") && report.contains("api-bank, 2 cases"));

    // Whether it is evaluated changes nothing of a run.
    train(dir.path(), &["--run-dir", "plain"], &[&TINY_GRPO[..], &["train.steps=5"]].concat()).ok();
    let weights = |run: &str| std::fs::read(dir.path().join(run).join("final/model.safetensors")).unwrap();
    assert!(weights("whole") == weights("plain"));

    // As if it had been killed after step 4: its checkpoint is of step 3.
    let run = dir.path().join("cut");
    train(dir.path(), &["mine.toml", "--run-dir", "cut"], &settings).ok();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    toolrl(dir.path(), &["train", "--resume", "cut"]).ok();
    assert_eq!(rows(&run), whole);
}

#[test]
fn a_benchmark_that_cannot_be_read_is_named_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    recipe(dir.path());
    let text = std::fs::read_to_string(dir.path().join("mine.toml")).unwrap();
    for (from, to, expected) in [
        ("\"simple\"", "\"simpel\"", "simpel"),
        ("/api_bank\"", "/nowhere\"", "nowhere"),
        ("limit = 2", "limits = 2", "limits"),
        ("\"bamboogle\"", "\"bambogle\"", "bambogle"),
        ("max_new_tokens = 24", "max_new_tokens = 0", "eval.benchmarks: max_new_tokens"),
    ] {
        assert!(text.contains(from));
        std::fs::write(dir.path().join("bad.toml"), text.replace(from, to)).unwrap();
        let message = train(dir.path(), &["bad.toml", "--run-dir", "bad"], &TINY_GRPO).error();
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(!dir.path().join("bad/metrics.jsonl").exists());
    }
}
