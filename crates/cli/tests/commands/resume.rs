//! Runs that are killed, stopped and damaged, and go on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{TINY_GRPO, json_lines, json_lines_of, metrics, toolrl, toolrl_in, train, untimed_metrics};

/// Six steps with two updates each and a checkpoint every second step, in a few seconds.
pub(crate) fn settings() -> Vec<&'static str> {
    let own = [
        "train.steps=6",
        "train.updates=2",
        "train.checkpoint_every=2",
        "train.checkpoint_keep=2",
        "eval.limit=2",
    ];
    [&TINY_GRPO[..], &own].concat()
}

/// The command of a run, to be killed.
pub(crate) fn start(dir: &Path, args: &[&str], settings: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrl"));
    command.arg("train").args(args).args(settings.iter().flat_map(|s| ["--set", s])).current_dir(dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What must be the same.
struct Results {
    weights: Vec<u8>,
    /// Metrics without their seconds.
    rows: Vec<Value>,
    completions: std::collections::BTreeMap<PathBuf, Vec<u8>>,
}

fn results(run: &Path) -> Results {
    let mut rows = metrics(run);
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().shift_remove("seconds").unwrap()));
    let folder = run.join("completions");
    let of_run = |(path, bytes): (PathBuf, _)| (path.strip_prefix(&folder).unwrap().to_owned(), bytes);
    Results {
        weights: std::fs::read(run.join("final/model.safetensors")).unwrap(),
        rows,
        completions: crate::contents(&folder).into_iter().map(of_run).collect(),
    }
}

pub(crate) fn assert_same(run: &Path, whole: &Path, what: &str) {
    let (a, b) = (results(run), results(whole));
    assert_eq!(a.rows, b.rows, "{what}: metrics");
    assert!(a.completions == b.completions, "{what}: completions");
    assert!(a.weights == b.weights, "{what}: weights");
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    let stages =
        |row: &Value| row["seconds"].as_object().unwrap().values().flat_map(Value::as_f64).sum::<f64>();
    let of_steps: f64 = json_lines(&read("metrics.jsonl")).iter().map(stages).sum();
    let whole: Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert!(whole["seconds"].as_f64().unwrap() >= of_steps, "{what}: less than its steps' {of_steps} s");
}

/// Numbers that look random and are the same each time.
pub(crate) fn moments(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(state >> 33)
    })
}

/// Twenty kills in all, spread over the length of a run: in sampling, updating, saving and evaluating. Whatever is left
/// then is a run that goes on.
#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_weights() {
    killed_runs_end_alike(&settings(), 20);
}

/// Runs that are killed so many times in all end as one that is not.
pub(crate) fn killed_runs_end_alike(settings: &[&str], times: usize) {
    let dir = tempfile::tempdir().unwrap();
    let clock = std::time::Instant::now();
    train(dir.path(), &["--run-dir", "whole"], settings).ok();
    let length = clock.elapsed().as_millis() as u64;
    let (mut kills, mut round) = (0, 0);
    let mut moments = moments(5);
    while kills < times {
        let name = format!("killed-{round}");
        round += 1;
        let run = dir.path().join(&name);
        for _ in 0..7 {
            let begun = run.join("config.toml").exists();
            let args: &[&str] = if begun { &["--resume", &name] } else { &["--run-dir", &name] };
            let mut child = start(dir.path(), args, if begun { &[] } else { settings });
            std::thread::sleep(Duration::from_millis(moments.next().unwrap() % length.max(1)));
            child.kill().unwrap();
            kills += usize::from(!child.wait().unwrap().success());
            if run.join("summary.json").exists() {
                break;
            }
        }
        if !run.join("config.toml").exists() {
            continue;
        }
        if !run.join("summary.json").exists() {
            toolrl(dir.path(), &["train", "--resume", &name]).ok();
        }
        assert_same(&run, &dir.path().join("whole"), &name);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_finishes_the_step_and_names_the_way_on() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings();
    train(dir.path(), &["--run-dir", "whole"], &settings).ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrl"));
    command.args(["train", "--run-dir", "run"]).args(settings.iter().flat_map(|s| ["--set", s]));
    let child =
        command.current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let metrics = dir.path().join("run/metrics.jsonl");
    while std::fs::metadata(&metrics).map_or(0, |m| m.len()) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("go on with: toolrl train --resume run"), "{said}");
    let done = json_lines_of(&metrics).len();
    assert!(dir.path().join(format!("run/checkpoints/step-{done:05}/manifest.json")).exists(), "{said}");
    toolrl(dir.path(), &["train", "--resume", "run"]).ok();
    assert_same(&dir.path().join("run"), &dir.path().join("whole"), "stopped");
    let message = toolrl(dir.path(), &["train", "--resume", "run"]).error();
    assert!(message.contains("run is finished") && message.contains("goes on"), "{message}");
}

/// The second signal does not wait for the step: the process ends at once, and the last checkpoint is whole.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_the_process_at_once() {
    let dir = tempfile::tempdir().unwrap();
    // A step of these takes seconds.
    let slow = ["train.steps=40", "train.checkpoint_every=1", "train.prompts=16", "train.group_size=8"];
    let settings = [&TINY_GRPO[..], &slow, &["sampling.max_new_tokens=160", "train.updates=8"]].concat();
    let child = start(dir.path(), &["--run-dir", "run"], &settings);
    let metrics = dir.path().join("run/metrics.jsonl");
    while std::fs::metadata(&metrics).map_or(0, |m| m.len()) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Past the checkpoint, into the next step.
    while !dir.path().join("run/checkpoints/step-00001").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = || Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    interrupt();
    std::thread::sleep(Duration::from_millis(50));
    interrupt();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let rows = json_lines_of(&metrics).len();
    assert_eq!(rows, 1, "the second step was not waited for");
    toolrl(dir.path(), &["train", "--resume", "run", "--set", "train.steps=2", "--allow-changes"]).ok();
}

/// Leaves a run as a kill after its last checkpoint would: unfinished.
pub(crate) fn cut_off(run: &Path) {
    std::fs::remove_file(run.join("summary.json")).unwrap();
    std::fs::remove_dir_all(run.join("final")).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_offered() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    train(dir.path(), &["--run-dir", "run"], &settings()).ok();
    std::fs::rename(&run, dir.path().join("whole")).unwrap();
    train(dir.path(), &["--run-dir", "run"], &settings()).ok();
    cut_off(&run);
    let last = run.join("checkpoints/step-00004");
    let state = last.join("trainer/state.safetensors");
    let bytes = std::fs::read(&state).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let damages: [(&str, &dyn Fn()); 4] = [
        ("checksum", &|| std::fs::write(&state, &flipped).unwrap()),
        ("bytes", &|| std::fs::write(&state, &bytes[..bytes.len() - 9]).unwrap()),
        ("No such file", &|| std::fs::remove_file(&state).unwrap()),
        ("manifest.json", &|| std::fs::remove_file(last.join("manifest.json")).unwrap()),
    ];
    for (part, damage) in damages {
        damage();
        let message = toolrl(dir.path(), &["train", "--resume", "run"]).error();
        let parts = ["step-00004 is damaged", part, "--from-step 2"];
        assert!(parts.iter().all(|part| message.contains(part)), "{part}: {message}");
    }
    toolrl(dir.path(), &["train", "--resume", "run", "--from-step", "2"]).ok();
    assert_same(&run, &dir.path().join("whole"), "from step 2");
    // What lies behind the step that a run goes back to is not taken up again, though this one saves nothing.
    cut_off(&run);
    let back = ["train", "--resume", "run", "--from-step", "2", "--set", "train.checkpoint_every=0"];
    toolrl(dir.path(), &[&back[..], &["--set", "train.steps=3", "--allow-changes"]].concat()).ok();
    assert!(run.join("checkpoints/step-00002").exists() && !last.exists());
    let message = toolrl(dir.path(), &["train", "--resume", "nowhere"]).error();
    assert!(message.contains("no run to resume"), "{message}");
}

#[test]
fn what_would_change_results_is_refused_by_name_and_recorded_when_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    train(dir.path(), &["--run-dir", "run"], &settings()).ok();
    cut_off(&run);
    let resume = |more: &[&str]| toolrl(dir.path(), &[&["train", "--resume", "run"], more].concat());
    let message = resume(&["--set", "train.optimizer.lr=0.5", "--set", "eval.limit=3"]).error();
    assert!(
        message.contains("train.optimizer.lr: 0.0001 -> 0.5") && !message.contains("eval.limit"),
        "{message}"
    );
    let message = resume(&["--from-step", "3"]).error();
    assert!(message.contains("no checkpoint of step 3; there are 2, 4"), "{message}");
    // The data is not what it was.
    let identity = run.join("run.json");
    let text = std::fs::read_to_string(&identity).unwrap();
    let data = serde_json::from_str::<Value>(&text).unwrap()["samples"].as_str().unwrap().to_owned();
    std::fs::write(&identity, text.replace(&data, "00000000")).unwrap();
    let message = resume(&[]).error();
    assert!(message.contains("data, by its checksum: 00000000 -> "), "{message}");
    resume(&["--allow-changes", "--set", "train.optimizer.lr=2e-4", "--set", "eval.limit=3"]).ok();
    // Both evaluations are over the tasks that were asked for last.
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["before"]["tasks"], &summary["after"]["tasks"]), (&3.into(), &3.into()));
    let rows = json_lines_of(run.join("resumes.jsonl"));
    let changed = rows[0]["changed"].to_string();
    assert!(changed.contains("train.optimizer.lr") && changed.contains("checksum"), "{changed}");
}

#[test]
fn a_directory_has_one_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path(), &["--run-dir", "run"], &settings());
    while !dir.path().join("run/metrics.jsonl").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let message = toolrl(dir.path(), &["train", "--resume", "run"]).error();
    assert!(message.contains("in use by another process") || message.contains("finished"), "{message}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a dead process holds nothing.
    if !dir.path().join("run/summary.json").exists() {
        toolrl(dir.path(), &["train", "--resume", "run"]).ok();
    }
}

#[test]
fn a_step_replays_to_the_bit_and_a_difference_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    train(dir.path(), &["--run-dir", "run"], &settings()).ok();
    for (step, from) in [("1", "the beginning"), ("4", "step 2"), ("6", "step 4")] {
        let said = toolrl(dir.path(), &["replay", "run", "--step", step]).ok();
        assert!(said.contains(&format!("step {step} from {from}: 8 replies")), "{said}");
    }
    assert!(!run.join("replay-step-00004").exists());
    let message = toolrl(dir.path(), &["replay", "run", "--step", "7"]).error();
    assert!(message.contains("there is no step 7"), "{message}");
    let path = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut rows = json_lines(&text);
    rows[3]["loss"] = 0.5.into();
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&path, text).unwrap();
    let ran = toolrl(dir.path(), &["replay", "run", "--step", "4"]);
    assert!(ran.stdout.starts_with("loss: 0.5 -> "), "{}", ran.stdout);
    assert!(ran.error().contains("is not the same"));
}

/// A reply depends on no other, and sums are added in one order: threads decide how long a run takes, and nothing else.
#[test]
fn one_thread_and_two_give_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    for threads in ["1", "2"] {
        let run = format!("threads-{threads}");
        let all: Vec<&str> = ["train", "--run-dir", &run]
            .into_iter()
            .chain(settings().into_iter().flat_map(|s| ["--set", s]))
            .collect();
        toolrl_in(&[("RAYON_NUM_THREADS", threads)], dir.path(), &all).ok();
    }
    assert_same(&dir.path().join("threads-1"), &dir.path().join("threads-2"), "threads");
}

/// A save that the system refuses ends the run, names the file, and leaves the checkpoint before it whole.
#[cfg(unix)]
#[test]
fn a_save_that_fails_leaves_the_last_good_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), &["--run-dir", "whole"], &settings()).ok();
    train(dir.path(), &["--run-dir", "run"], &settings()).ok();
    let run = dir.path().join("run");
    cut_off(&run);
    std::fs::remove_dir_all(run.join("checkpoints/step-00004")).unwrap();
    let before = crate::contents(&run.join("checkpoints/step-00002"));
    // No file may grow beyond 64 KiB; the signal that comes with it is ignored, as of a disk that is full.
    let limited =
        format!("trap '' XFSZ; ulimit -f 128; exec {} train --resume run", env!("CARGO_BIN_EXE_toolrl"));
    let output = Command::new("bash").args(["-c", &limited]).current_dir(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: ") && said.contains("step-00004"), "{said}");
    assert!(crate::contents(&run.join("checkpoints/step-00002")) == before);
    assert_eq!(
        run.join("checkpoints").read_dir().unwrap().count(),
        1,
        "nothing half-written is left: {said}"
    );
    toolrl(dir.path(), &["train", "--resume", "run"]).ok();
    assert_same(&run, &dir.path().join("whole"), "after a full disk");
}

/// PPO's critic, fine-tuning, adapters, and what became of tasks and sources go on exactly too.
#[test]
fn every_method_goes_on_exactly() {
    const MIX: &str = "data={ mix = [{ weight = 1, world = { train = 16, held_out = 4 } }, \
                       { name = \"b\", weight = 2, world = { seed = 9, train = 8, held_out = 4 } }] }";
    let cases: [(&str, &[&str]); 7] = [
        ("tiny-sft", &["train.batch=2", MIX]),
        (
            "tiny-ppo",
            &["train.prompts=4", "train.group_size=1", "train.tasks.rest={ failed = { steps = 1 } }", MIX],
        ),
        (
            "tiny-ppo",
            &[
                "train.prompts=4",
                "train.group_size=1",
                "train.critic.warmup_steps=1",
                "train.critic.optimizer.moments=8bit",
                "train.optimizer.moments=8bit",
            ],
        ),
        ("tiny-sft", &["train.batch=2"]),
        ("tiny-grpo", &["train.prompts=2", "train.lora.rank=2", "train.loss.kl.coef=0.01"]),
        ("tiny-grpo", &["train.prompts=2", "precision=bf16"]),
        (
            "tiny-grpo",
            &["train.prompts=2", "sampling.top_k=50", "sampling.min_p=0.01", "sampling.stop=[\"e\"]"],
        ),
    ];
    for (recipe, own) in cases {
        let dir = tempfile::tempdir().unwrap();
        let common = [
            "train.steps=4",
            "train.checkpoint_every=2",
            "sampling.max_new_tokens=32",
            "data.world.train=32",
            "data.world.held_out=4",
            "eval.limit=2",
            "eval.max_new_tokens=8",
            "slots=8",
        ];
        let settings = [&common[..], own].concat();
        for run in ["whole", "run"] {
            train(dir.path(), &[recipe, "--run-dir", run], &settings).ok();
        }
        let run = dir.path().join("run");
        std::fs::remove_file(run.join("summary.json")).unwrap();
        toolrl(dir.path(), &["train", "--resume", "run"]).ok();
        let file = if own.iter().any(|s| s.contains("lora")) {
            "adapter_model.safetensors"
        } else {
            "model.safetensors"
        };
        let weights = |run: &str| std::fs::read(dir.path().join(run).join("final").join(file)).unwrap();
        assert!(weights("run") == weights("whole"), "{recipe} {own:?}");
        let rows = |run: &str| untimed_metrics(dir.path().join(run));
        assert_eq!(rows("run"), rows("whole"), "{recipe} {own:?}");
    }
}

#[test]
fn a_run_goes_on_from_another_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    crate::copy_policy(dir.path(), "model", &[]);
    let run = dir.path().join("run");
    train(dir.path(), &["--run-dir", "run", "--policy", "model"], &settings()).ok();
    cut_off(&run);
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    // The policy that it began with is another: it is not the same run.
    let settings_file = dir.path().join("model/tokenizer_config.json");
    let before = std::fs::read(&settings_file).unwrap();
    std::fs::write(&settings_file, [&before[..], b"\n"].concat()).unwrap();
    let message = toolrl(&elsewhere, &["train", "--resume", "../run"]).error();
    assert!(message.contains("files of the policy that the run began with"), "{message}");
    std::fs::write(&settings_file, before).unwrap();
    toolrl(&elsewhere, &["train", "--resume", "../run"]).ok();
    assert!(run.join("summary.json").exists());
}
