//! Evaluations in the course of a run: on held-out tasks and on benchmarks.

use std::path::Path;

use serde_json::Value;

use crate::{TINY_GRPO, json_lines_of, toolrl, train};

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
    let rows = json_lines_of(run.join("evaluations.jsonl"));
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

/// Rows of a user's own, each a task.
const OWN: &str = r#"{"instruction": "Answer.", "input": "Hello", "output": "<think> a </think>\n<response> b </response>"}
{"instruction": "Answer.", "input": "Good day", "output": "<think> a </think>\n<response> c </response>"}
{"instruction": "Answer.", "input": "Weather?", "output": "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>"}
"#;

#[test]
fn sets_and_sampled_replies_are_evaluated_beside_the_held_out_tasks() {
    let dir = tempfile::tempdir().unwrap();
    crate::file(dir.path(), "mine.jsonl", OWN);
    let sets = "eval.sets=[{ name = 'mine', data = 'mine.jsonl', limit = 2 }, { name = 'all', data = 'mine.jsonl' }]";
    let own = [
        sets,
        "eval.samples=3",
        "eval.every=1",
        "eval.temperature=0.9",
        "eval.final=best",
        "eval.best.by=all",
    ];
    let settings = [&TINY_GRPO[..], &own].concat();
    let said = train(dir.path(), &["--run-dir", "run"], &settings).ok();
    assert!(said.contains("avg@3") && said.contains("\nmine\n") && said.contains("\nall\n"), "{said}");
    let run = dir.path().join("run");
    let rows = rows(&run);
    let names: Vec<_> = rows.iter().map(|(step, name, _)| (*step, name.as_str())).collect();
    let expected: Vec<_> =
        [0, 1, 2].into_iter().flat_map(|step| ["held-out", "mine", "all"].map(|name| (step, name))).collect();
    assert_eq!(names, expected);
    let scores: Vec<_> = rows[0].2.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        scores,
        ["avg@3", "exact-call rate", "format rate", "mean reward", "mean reward@3", "pass@2", "pass@3"]
    );

    let outcomes = |path: &Path| json_lines_of(path);
    let mine = outcomes(&run.join("evaluations/step-00001/mine.jsonl"));
    assert_eq!(mine.iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), ["mine:0", "mine:1"]);
    assert!(mine.iter().all(|row| row["samples"].as_array().unwrap().len() == 3), "{mine:?}");
    let identity: Value = serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(identity["eval_sets"]["mine"], identity["eval_sets"]["all"]);
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("<h3>mine</h3>") && report.contains("Exact calls, pass@3"));
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["sets"][1]["after"]["tasks"], 3);

    // Of the run's own policy the command gives the run's own figures, whatever is batched with what.
    let of_final = summary["final_step"].as_u64().unwrap_or(2);
    let again = ["eval", "all", "--run", "run", "--out", "again", "--set", "slots=3"];
    toolrl(dir.path(), &again).ok();
    let of_run = run.join(format!("evaluations/step-{of_final:05}/all.jsonl"));
    assert_eq!(outcomes(&dir.path().join("again/outcomes.jsonl")), outcomes(&of_run));
    let greedy = ["eval", "--run", "run", "--samples", "0", "--out", "greedy"];
    let table = toolrl(dir.path(), &greedy).ok();
    assert!(!table.contains("avg@"), "{table}");

    // Whether it is evaluated changes nothing of a run.
    train(dir.path(), &["--run-dir", "plain"], &TINY_GRPO).ok();
    let metrics = |run: &str| {
        let mut rows = outcomes(&dir.path().join(run).join("metrics.jsonl"));
        rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().shift_remove("seconds")));
        rows
    };
    assert_eq!(metrics("run"), metrics("plain"));
}

#[test]
fn a_set_that_cannot_be_read_is_named_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    crate::file(dir.path(), "broken.jsonl", format!("{OWN}{{\"instruction\": 3}}\n"));
    for (data, expected) in [("nowhere.jsonl", "nowhere.jsonl"), ("broken.jsonl", "broken.jsonl: line 4")] {
        let set = format!("eval.sets=[{{ name = 'mine', data = '{data}' }}]");
        let message = train(dir.path(), &["--run-dir", "bad"], &[&TINY_GRPO[..], &[&set]].concat()).error();
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(!dir.path().join("bad/run.json").exists());
    }
    let message = toolrl(dir.path(), &["eval", "yours", "--policy", "x"]).error();
    assert!(message.contains("no evaluation \"yours\": expected held-out, bfcl"), "{message}");
    let message =
        toolrl(dir.path(), &["eval", "--policy", "x", "--samples", "2", "--temperature", "0"]).error();
    assert!(message.contains("eval.temperature = 0"), "{message}");
}
