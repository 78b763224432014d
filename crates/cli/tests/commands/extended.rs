//! Runs that end early, and runs that go on after their end.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::resume::{assert_same, cut_off, moments, settings, start};
use crate::{json_lines_of, metrics, toolrl, train};

/// A run that was over and is to be longer ends as the longer run does, though it is killed on the way.
#[test]
fn a_finished_run_goes_on_to_the_longer_one() {
    let dir = tempfile::tempdir().unwrap();
    let grpo = settings();
    let ppo = [
        &grpo[..],
        &["train.method=ppo", "train.group_size=2", "train.critic.warmup_steps=1", "train.updates=1"],
    ];
    let mut moments = moments(11);
    for (name, settings) in [("grpo", grpo.clone()), ("ppo", ppo.concat())] {
        let (whole, short) = (format!("{name}-whole"), format!("{name}-short"));
        let clock = std::time::Instant::now();
        train(dir.path(), &["--run-dir", &whole], &settings).ok();
        let length = clock.elapsed().as_millis() as u64;
        train(dir.path(), &["--run-dir", &short], &[&settings[..], &["train.steps=4"]].concat()).ok();
        let run = dir.path().join(&short);
        let more = ["--resume", &short, "--set", "train.steps=6"];
        let resume = |args: &[&str]| toolrl(dir.path(), &[&["train"], args].concat());

        let message = resume(&["--resume", &short]).error();
        let way_on = "is finished: its policy is in final, and there is nothing to resume; --set train.steps=N, with more than its 4";
        assert!(message.contains(way_on), "{message}");
        let message =
            resume(&[&more[..], &["--set", "train.optimizer.schedule.decay=linear"]].concat()).error();
        assert!(
            message.contains("train.steps: 4 -> 6, on which train.optimizer.schedule depends"),
            "{message}"
        );
        let aside = dir.path().join("aside");
        std::fs::rename(run.join("last"), &aside).unwrap();
        let message = resume(&more).error();
        assert!(message.contains("no state of its last step") || name == "ppo", "{message}");
        std::fs::rename(&aside, run.join("last")).unwrap();
        assert!(run.join("summary.json").exists(), "what is refused changes nothing");

        for _ in 0..3 {
            let mut child = start(dir.path(), &more, &[]);
            std::thread::sleep(Duration::from_millis(moments.next().unwrap() % length));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(run.join("final/model.safetensors").exists(), "there is a policy at any time");
        }
        if !std::fs::read_to_string(run.join("summary.json")).is_ok_and(|text| text.contains("\"steps\": 6"))
        {
            resume(&more).ok();
        }
        assert_same(&run, &dir.path().join(&whole), name);
        let critic = |run: &str| std::fs::read(dir.path().join(run).join("critic/model.safetensors")).ok();
        assert!(critic(&short) == critic(&whole) && critic(&whole).is_some() == (name == "ppo"));
        let rows = std::fs::read_to_string(run.join("resumes.jsonl")).unwrap();
        assert!(rows.contains("train.steps: 4 -> 6"), "{rows}");
    }
}

/// What evaluations decided: when a run ended, and which policy it left.
fn decided(run: &Path) -> (Value, Value, Vec<Value>) {
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    let mut rows = json_lines_of(run.join("evaluations.jsonl"));
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().shift_remove("seconds").unwrap()));
    (summary["stopped_early"].clone(), summary["final_step"].clone(), rows)
}

#[test]
fn a_run_that_stops_early_stops_alike_when_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    // No gain is that large: it ends with the third evaluation, at step 3 of 6.
    let own = [
        "train.checkpoint_every=2",
        "eval.every=1",
        "eval.stop={ patience = 3, min_delta = 100.0 }",
        "eval.samples=2",
    ];
    let settings = [&settings()[..], &own].concat();
    let clock = std::time::Instant::now();
    let said = train(dir.path(), &["--run-dir", "whole"], &settings).ok();
    let length = clock.elapsed().as_millis() as u64;
    assert!(
        said.contains("Stopped early after step 3: 3 evaluations without a gain in mean reward"),
        "{said}"
    );
    let whole = dir.path().join("whole");
    let (stopped, final_step, rows) = decided(&whole);
    assert_eq!((stopped["by"].as_str(), rows.len()), (Some("held-out"), 4));
    assert!(
        std::fs::read_to_string(whole.join("report.html")).unwrap().contains("Stopped early after step 3")
    );
    // The policy that is left is the one of the best step.
    let best = final_step.as_u64().unwrap_or(3);
    assert_eq!(stopped["best_step"], best);
    if best < 3 {
        let saved = whole.join(format!("checkpoints/step-{best:05}/model.safetensors"));
        assert!(
            std::fs::read(saved).unwrap() == std::fs::read(whole.join("final/model.safetensors")).unwrap()
        );
    }
    let mut moments = moments(3);
    let run = dir.path().join("killed");
    for _ in 0..4 {
        let begun = run.join("config.toml").exists();
        let args: &[&str] = if begun { &["--resume", "killed"] } else { &["--run-dir", "killed"] };
        let mut child = start(dir.path(), args, if begun { &[] } else { &settings });
        std::thread::sleep(Duration::from_millis(moments.next().unwrap() % length));
        child.kill().unwrap();
        child.wait().unwrap();
        if run.join("summary.json").exists() {
            break;
        }
    }
    if !run.join("summary.json").exists() {
        let begun = run.join("config.toml").exists();
        let args: &[&str] = if begun { &["--resume", "killed"] } else { &["--run-dir", "killed"] };
        train(dir.path(), args, if begun { &[] } else { &settings }).ok();
    }
    assert_eq!(decided(&run), decided(&whole));
    assert_same(&run, &whole, "stopped early");

    // PPO's critic and fine-tuning are saved and go on with the policy.
    let common =
        ["slots=8", "data.world.train=32", "data.world.held_out=4", "eval.max_new_tokens=8", "train.steps=4"];
    for recipe in ["tiny-ppo", "tiny-sft"] {
        let of_method: &[&str] = match recipe {
            "tiny-ppo" => &["train.prompts=2", "train.group_size=2", "sampling.max_new_tokens=16"],
            _ => &["train.batch=2"],
        };
        let stop =
            ["eval.every=1", "eval.stop={ patience = 2, min_delta = 100.0 }", "train.checkpoint_every=3"];
        let settings = [&common[..], of_method, &stop].concat();
        train(dir.path(), &[recipe, "--run-dir", recipe], &settings).ok();
        let run = dir.path().join(recipe);
        let (before, weights) = (decided(&run), std::fs::read(run.join("final/model.safetensors")).unwrap());
        assert_eq!(before.2.len(), 3, "{recipe}: {:?}", before.2);
        let saved = run.join("checkpoints/step-00001/trainer/critic/state.safetensors");
        assert_eq!(saved.exists(), recipe == "tiny-ppo");
        cut_off(&run);
        toolrl(dir.path(), &["train", "--resume", recipe]).ok();
        assert_eq!(decided(&run), before);
        assert!(std::fs::read(run.join("final/model.safetensors")).unwrap() == weights, "{recipe}");
    }

    // More patience is a reason to go on, and more steps are none.
    let resume = |set: &str| toolrl(dir.path(), &["train", "--resume", "killed", "--set", set]);
    let message = resume("train.steps=9").error();
    assert!(message.contains("is finished early") && message.contains("eval.stop.patience=N"), "{message}");
    resume("eval.stop.patience=5").ok();
    let rows = metrics(run);
    assert_eq!(rows.len(), 5);
}
