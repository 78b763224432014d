//! Updates and samplers at fault, in whole runs.

use crate::{TINY_GRPO, json_lines_of, train};

#[test]
fn an_update_at_fault_is_left_out_and_its_batch_written() {
    let dir = tempfile::tempdir().unwrap();
    // At this rate the loss is no number from the second update on.
    let settings = [
        "train.batch=2",
        "train.steps=6",
        "train.optimizer.lr=1e39",
        "train.guards.on_fault=skip",
        "train.guards.max_skips=2",
        "data.world.train=64",
        "data.world.held_out=4",
        "eval.limit=2",
        "eval.max_new_tokens=8",
    ];
    let message = train(dir.path(), &["quickstart-sft", "--run-dir", "run"], &settings).error();
    assert!(message.contains("3 updates in a row were left out"), "{message}");
    let rows = json_lines_of(dir.path().join("run/metrics.jsonl"));
    assert!(rows.iter().filter(|row| row["skipped_updates"] == 1).count() == 2, "{rows:?}");
    let faults: Vec<_> = dir.path().join("run/faults").read_dir().unwrap().collect();
    assert_eq!(faults.len(), 3, "{message}");
}

#[test]
fn a_gradient_that_spikes_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    // After 32 updates every norm above their median is a spike of this factor.
    let settings = [
        "train.batch=1",
        "train.steps=48",
        "train.guards.grad_spike=1.0000001",
        "train.guards.on_fault=skip",
        "train.guards.max_skips=16",
        "data.world.train=64",
        "data.world.held_out=4",
        "eval.limit=2",
        "eval.max_new_tokens=8",
    ];
    train(dir.path(), &["quickstart-sft", "--run-dir", "run"], &settings).ok();
    let rows = json_lines_of(dir.path().join("run/metrics.jsonl"));
    let skipped: Vec<usize> = (0..48).filter(|&i| rows[i]["skipped_updates"] == 1).collect();
    assert!(!skipped.is_empty() && skipped.len() < 16 && skipped.iter().all(|&i| i >= 32), "{skipped:?}");
    for step in skipped {
        // An update that was left out changed no weight.
        assert_eq!(rows[step]["weights"], rows[step - 1]["weights"]);
        let fault = dir.path().join(format!("run/faults/step-{:05}.json", step + 1));
        assert!(std::fs::read_to_string(fault).unwrap().contains("grad_spike allows"));
    }
}

#[test]
fn a_sampler_that_is_not_the_trainer_s_stops_the_run() {
    let dir = tempfile::tempdir().unwrap();
    // The two compute in different orders, which rounds differently: less than this is not to be had. (The bonus has
    // every reply looked at, whether or not its group teaches something.)
    let own = ["train.guards.max_logprob_gap=1e-9", "train.loss.entropy_coef=0.01"];
    let settings = [&TINY_GRPO[..], &own].concat();
    let message = train(dir.path(), &["--run-dir", "run"], &settings).error();
    assert!(message.contains("step 1") && message.contains("max_logprob_gap"), "{message}");
}
