//! `toolrl doctor` and `toolrl gpu check`, where there is no GPU.

use serde_json::Value;
use tempfile::tempdir;

use crate::{POLICY, toolrl};

#[test]
fn doctor_says_what_there_is_and_what_would_go_wrong() {
    let dir = tempdir().unwrap();
    let ran = toolrl(dir.path(), &["doctor", "--device", "cpu", "--policy", POLICY]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in ["device", "cpu", "threads", "memory", "parameters", "no GPU"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let ran = toolrl(dir.path(), &["doctor", "--device", "cuda:1000", "--json"]);
    assert_eq!(ran.code, Some(1));
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["device"], Value::Null);
    assert!(found["problems"][0].as_str().unwrap().starts_with("cannot compute on cuda:1000"), "{found}");
    assert!(found["cpu"]["threads"].as_u64().unwrap() > 0);
}

#[test]
fn a_device_that_is_not_there_is_one_line() {
    let dir = tempdir().unwrap();
    for command in [
        &["eval", "--policy", POLICY, "--limit", "1"][..],
        &["policy", "logprobs", "--policy", POLICY, "--rows", "rows.jsonl"],
        &["train", "--set", "train.steps=1"],
        &["gpu", "check", "--stage", "kernels"],
    ] {
        let ran = toolrl(dir.path(), &[command, &["--device", "cuda:1000"]].concat());
        assert_eq!(ran.code, Some(1), "{command:?}");
        let message = ran.stderr.lines().last().unwrap_or_default();
        assert!(message.starts_with("error: cannot compute on cuda:1000: "), "{command:?}: {}", ran.stderr);
    }
    let ran = toolrl(dir.path(), &["eval", "--policy", POLICY, "--device", "gpu"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("expected auto, cpu"), "{}", ran.stderr);
}

#[test]
fn every_stage_runs_on_the_cpu_in_small() {
    let dir = tempdir().unwrap();
    let ran = toolrl(dir.path(), &["gpu", "check", "--device", "cpu", "--scale", "tiny"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let found: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("gpu-check.json")).unwrap()).unwrap();
    for stage in ["doctor", "kernels", "parity", "quickstart", "ceilings", "train", "decode", "grpo"] {
        let rows = found[stage]["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{stage}");
        assert!(rows.iter().all(|row| row["value"].is_number()), "{stage}: {rows:?}");
        assert!(ran.stdout.contains(&format!("{stage} on cpu, tiny")), "{}", ran.stdout);
    }
}
