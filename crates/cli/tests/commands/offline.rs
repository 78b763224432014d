//! Runs on what another run sampled: rejection sampling and DPO.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use toolrl_record::{Completion, completions_path, read_completions, write_completions};

use crate::{TINY_GRPO, file, toolrl, toolrl_in, train, untimed_metrics};

/// Settings of runs on these replies.
const DPO: [&str; 4] =
    ["train.batch=2", "train.steps=6", "train.checkpoint_every=2", "train.optimizer.lr=1e-4"];

/// A run `grpo` of eight groups of four whole replies.
fn sample(dir: &Path) {
    let own = ["train.prompts=4", "sampling.max_new_tokens=160", "sampling.temperature=1.3"];
    train(dir, &["--run-dir", "grpo"], &[&TINY_GRPO[..], &own].concat()).ok();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn replies(dir: &Path) -> Vec<Completion> {
    (1..=2).flat_map(|step| read_completions(&completions_path(&dir.join("grpo"), step)).unwrap()).collect()
}

#[test]
fn what_a_run_sampled_teaches_another() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let (grpo, dpo, rejection) =
        (dir.path().join("grpo"), dir.path().join("dpo"), dir.path().join("rejection"));
    let dry = train(dir.path(), &["tiny-dpo", "--run", "grpo", "--dry-run"], &[]);
    assert!(dry.stderr.contains("of the 8 groups of grpo are used"), "{}", dry.stderr);
    let text = dry.ok();
    for part in ["method = \"dpo\"", "limit = 4", "start", "beta = 0.1", "[environment]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let table = train(dir.path(), &["tiny-dpo", "--run", "grpo", "--run-dir", "dpo"], &DPO).ok();
    assert!(table.contains("all tasks"), "{table}");
    train(dir.path(), &["tiny-rejection", "--run", "grpo", "--run-dir", "rejection"], &DPO).ok();

    // Each group's best and worst reply, where they differ; and the best alone.
    let replies = replies(dir.path());
    let spread = |group: &&[Completion]| {
        let rewards: Vec<f64> = group.iter().map(|reply| reply.reward).collect();
        rewards.iter().any(|r| *r != rewards[0])
    };
    let groups = |run: &Path| json(&run.join("run.json"))["groups"].clone();
    let (of_dpo, of_rejection) = (groups(&dpo), groups(&rejection));
    assert_eq!(of_dpo["used"], replies.chunks(4).filter(spread).count(), "{of_dpo}");
    assert_eq!((&of_rejection["groups"], &of_rejection["below_margin"]), (&8.into(), &0.into()));

    // It begins with what the run began with, and is evaluated as that was on what that held out.
    for run in [&dpo, &rejection] {
        let [of_run, of_grpo] =
            [run, &grpo].map(|dir| json(&dir.join("summary.json"))["before"]["overall"].clone());
        assert_eq!(of_run, of_grpo);
        assert_eq!(json(&run.join("held_out.json")), json(&grpo.join("held_out.json")));
        let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(config.contains("last_step = 2"), "{config}");
    }
    let rows = untimed_metrics(&dpo);
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    assert!((number(&rows[0], "loss") - std::f64::consts::LN_2).abs() < 1e-3, "{rows:?}");
    assert!(rows[0]["kind"] == "dpo" && number(&rows[5], "margin") > number(&rows[0], "margin"), "{rows:?}");
    let report = std::fs::read_to_string(dpo.join("report.html")).unwrap();
    assert!(report.contains("Pairs told apart") && report.contains("Reward that the policy stands for"));
    let said = toolrl(dir.path(), &["replay", "dpo", "--step", "3"]).ok();
    assert!(said.contains("same"), "{said}");
    toolrl(dir.path(), &["eval", "--run", "dpo", "--limit", "1"]).ok();
}

/// Killed in computing the reference, in training and in evaluating; and with another number of threads.
#[test]
fn a_dpo_run_that_is_killed_ends_with_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let args = |run: &str| {
        let mut args: Vec<String> =
            ["train", "tiny-dpo", "--run", "grpo", "--run-dir", run].map(Into::into).into();
        args.extend(DPO.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
        args
    };
    let whole = args("whole");
    let clock = Instant::now();
    toolrl_in(
        &[("RAYON_NUM_THREADS", "1")],
        dir.path(),
        &whole.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .ok();
    let length = clock.elapsed();
    let run = dir.path().join("run");
    for part in 1..8 {
        let begun = run.join("config.toml").exists();
        let args = if begun { ["train", "--resume", "run"].map(Into::into).into() } else { args("run") };
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolrl"));
        command.args(&args).current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(length.as_millis() as u64 * part / 8));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
    }
    if !run.join("summary.json").exists() {
        toolrl(dir.path(), &["train", "--resume", "run"]).ok();
    }
    let whole = dir.path().join("whole");
    assert_eq!(untimed_metrics(&run), untimed_metrics(&whole));
    for name in ["final/model.safetensors", "reference_logprobs.json"] {
        assert!(std::fs::read(run.join(name)).unwrap() == std::fs::read(whole.join(name)).unwrap(), "{name}");
    }
}

/// Adapters, bf16 and recomputed activations, each with length-normalised pairs and the chosen replies' likelihood.
#[test]
fn adapters_and_precisions_learn_from_pairs() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let cases: [&[&str]; 3] = [
        &["train.lora.rank=2", "train.loss.sft_coef=0.5"],
        &["precision=bf16", "train.loss.label_smoothing=0.1"],
        &["train.activations=recompute", "train.loss.log_ratio=mean", "train.loss.beta=5.0"],
    ];
    for (case, own) in cases.into_iter().enumerate() {
        let run = format!("run-{case}");
        let own = [&DPO[..], &["train.steps=2", "eval.limit=0"], own].concat();
        train(dir.path(), &["tiny-dpo", "--run", "grpo", "--run-dir", &run], &own).ok();
        let rows = untimed_metrics(dir.path().join(run));
        assert!(
            rows.len() == 2 && rows.iter().all(|row| row["grad_norm"].as_f64().unwrap() > 0.0),
            "{rows:?}"
        );
        assert!(rows[0]["margin"].as_f64().unwrap().abs() < 0.05, "{rows:?}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let refused = |args: &[&str], settings: &[&str], expected: &str| {
        let message = train(dir.path(), &[args, &["--run-dir", "none"]].concat(), settings).error();
        assert!(message.contains(expected), "{args:?} {settings:?}: {message}");
        assert!(!dir.path().join("none").exists(), "{args:?} {settings:?}");
    };
    let of_run: &[&str] = &["tiny-dpo", "--run", "grpo"];
    refused(&["dpo", "--run", "gone"], &["policy.dir=x"], "gone");
    refused(&["tiny-dpo", "--then", "tiny-dpo"], &[], "without --then");
    refused(&["tiny-grpo", "--run", "grpo"], &[], "does not learn from a run's completions");
    refused(of_run, &["data.completions.min_margin=100"], "0 of the 8 groups of");
    refused(of_run, &["data.completions.first_step=9"], "none from step 9 on, of 2 steps");
    refused(of_run, &["train.loss.beta=-1"], "train.loss.beta = -1: expected above 0");
    refused(of_run, &["train.group_size=2"], "unknown field `group_size`");
    refused(of_run, &["train.max_tokens=20"], "train.max_tokens = 20");
    // Another prompt than that to which they were replies.
    let template =
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|im_end|>\n{% endfor %}[assistant] ";
    file(dir.path(), "other.jinja", template);
    refused(of_run, &["prompt=other.jinja"], "is not what the policy's template and tokenizer make of it");
    // Replies of an earlier version have no token ids.
    let path = completions_path(&dir.path().join("grpo"), 2);
    let older: Vec<_> =
        read_completions(&path).unwrap().into_iter().map(|row| Completion { episode: None, ..row }).collect();
    write_completions(&path, &older).unwrap();
    refused(of_run, &[], "grpo has no completions to learn from: they are of an earlier version");
}
