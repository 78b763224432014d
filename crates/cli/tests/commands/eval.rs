//! `toolrl eval`.

use serde_json::Value;

use crate::{POLICY, json_lines_of, toolrl};

const SMALL: [&str; 6] =
    ["--set", "eval.max_new_tokens=48", "--set", "data.world.train=64", "--set", "data.world.held_out=12"];

#[test]
fn a_report_has_every_field_and_an_outcome_for_each_task() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["eval", "--policy", POLICY, "--limit", "4", "--out", "first"];
    let table = toolrl(dir.path(), &[&args[..], &SMALL].concat()).ok();
    assert!(table.lines().nth(1).unwrap().starts_with("all tasks"), "{table}");

    let text = std::fs::read_to_string(dir.path().join("first/eval.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["policy"], POLICY);
    assert_eq!(report["tasks"], 4);
    assert!((-3.0..=4.0).contains(&report["mean_reward"].as_f64().unwrap()));
    for rate in ["format_rate", "exact_call_rate"] {
        assert!((0.0..=1.0).contains(&report[rate].as_f64().unwrap()), "{report}");
    }
    let kinds = report["by_kind"].as_object().unwrap();
    assert_eq!(kinds.values().map(|k| k["tasks"].as_u64().unwrap()).sum::<u64>(), 4);

    let outcomes = json_lines_of(dir.path().join("first/outcomes.jsonl"));
    assert_eq!(outcomes.len(), 4);
    let total = |o: &Value| o["score"]["total"].as_f64().unwrap();
    let mean = outcomes.iter().map(total).sum::<f64>() / 4.0;
    assert!((mean - report["mean_reward"].as_f64().unwrap()).abs() < 1e-9);
    let unseen = outcomes.iter().filter(|o| o["unseen_tools"] == true).count();
    match &report["unseen_tools"] {
        Value::Null => assert_eq!(unseen, 0),
        rates => assert_eq!(rates["tasks"], unseen),
    }

    let more = ["--before", "first/eval.json"];
    let compared = toolrl(dir.path(), &[&args[..], &SMALL, &more].concat()).ok();
    let reward = format!("{:.3}", report["mean_reward"].as_f64().unwrap());
    assert!(compared.contains(&format!("{reward} -> {reward}")), "the same policy has changed:\n{compared}");
}

#[test]
fn a_recipes_own_reward_for_evaluations_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let reward = ["--set", "eval.reward=[{ id = 'format' }]"];
    let args = ["eval", "--policy", POLICY, "--limit", "3", "--out", "."];
    toolrl(dir.path(), &[&args[..], &SMALL, &reward].concat()).ok();
    let outcomes = json_lines_of(dir.path().join("outcomes.jsonl"));
    assert_eq!(outcomes.len(), 3);
    for outcome in &outcomes {
        let score = &outcome["score"];
        assert!([0.0, 1.0].contains(&score["total"].as_f64().unwrap()), "{score}");
        assert!(!score.to_string().contains("correctness"), "{score}");
    }
}

#[test]
fn data_of_ones_own_is_evaluated_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let row = r#"{"instruction": "Answer.", "input": "Hello", "output": "<think> a </think>\n<response> b </response>"}"#;
    let data = crate::file(dir.path(), "own.jsonl", format!("{row}\n{row}\n{row}\n"));
    let args = [
        "eval",
        "held-out",
        "--policy",
        POLICY,
        "--data",
        &data,
        "--out",
        ".",
        "--set",
        "eval.max_new_tokens=8",
    ];
    toolrl(dir.path(), &args).ok();
    let outcomes = json_lines_of(dir.path().join("outcomes.jsonl"));
    let ids: Vec<_> = outcomes.iter().map(|o| o["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["own:0", "own:1", "own:2"]);
    assert!(
        outcomes.iter().all(|o| o["kind"] == "no_call" && o["reply"] == outcomes[0]["reply"]),
        "{outcomes:?}"
    );
}
