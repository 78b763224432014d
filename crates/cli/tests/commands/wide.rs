//! The wide world: as a file, and as a recipe's data.

use serde_json::Value;

use crate::{POLICY, toolrl, train};

#[test]
fn the_wide_world_is_written_and_inspected() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let world = ["data", "world", "--tasks", "60"];
    let said = toolrl(dir, &[&world[..], &["--out", "a.jsonl"]].concat()).ok();
    assert!(said.contains("a.jsonl: 60 samples, 0 with tools held out from training"), "{said}");
    toolrl(dir, &[&world[..], &["--out", "b.jsonl"]].concat()).ok();
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| std::fs::read_to_string(dir.join(name)).unwrap());
    assert_eq!(a, b);
    let first: Value = serde_json::from_str(a.lines().next().unwrap()).unwrap();
    assert_eq!((&first["id"], &first["metadata"]["unseen_tools"]), (&"train:0".into(), &"false".into()));
    assert_eq!(first["tools"][0]["type"], "function");
    let unseen = ["--part", "held-out", "--unseen-share", "1", "--thoughts", "--out", "unseen.parquet"];
    let said = toolrl(dir, &[&world[..], &unseen].concat()).ok();
    assert!(said.contains("60 samples, 60 with tools held out from training"), "{said}");
    let seen: Value =
        serde_json::from_str(&toolrl(dir, &["data", "inspect", "unseen.parquet", "--json"]).ok()).unwrap();
    assert_eq!((&seen["samples"], seen["unscorable"].as_array().unwrap().len()), (&60.into(), 0));
    assert!(toolrl(dir, &[&world[..], &["--out", "a.jsonl"]].concat()).error().contains("--force"));
    let wrong = ["data", "world", "--out", "c.jsonl", "--domains", "900"];
    assert!(toolrl(dir, &wrong).error().contains("`domains`"));
}

#[test]
fn a_recipe_trains_on_the_wide_world() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let settings = [
        "data.wide.train=4",
        "data.wide.held_out=4",
        "data.wide.unseen_share=1",
        "prompt=toolrl",
        "dialect=hermes",
        "train.epochs=1",
        "train.batch=4",
        "train.max_tokens=2048",
        "eval.limit=2",
        "eval.max_new_tokens=8",
    ];
    train(dir, &["sft", "--policy", POLICY, "--run-dir", "run"], &settings).ok();
    let config = std::fs::read_to_string(dir.join("run/config.toml")).unwrap();
    assert!(config.contains("[data.wide]"), "{config}");
    let report = std::fs::read_to_string(dir.join("run/summary.json")).unwrap();
    assert!(report.contains("unseen_tools"), "{report}");
}
