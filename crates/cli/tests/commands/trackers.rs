//! Runs that are mirrored, killed and sent again.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{TINY_GRPO, file, json_lines_of, metrics, toolrl, train};

/// The entries of Trackio's inbox, as an import leaves them: each id once, the first that came.
fn entries(dir: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = Vec::new();
    for writer in dir.join("inbox").read_dir().unwrap() {
        files.extend(writer.unwrap().path().read_dir().unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let mut entries: Vec<Value> = Vec::new();
    for entry in files.iter().flat_map(json_lines_of) {
        if entries.iter().all(|known| known["log_id"] != entry["log_id"]) {
            entries.push(entry);
        }
    }
    entries
}

/// The steps of a run's points, by what they are of.
fn steps(entries: &[Value], of: &str) -> Vec<u64> {
    let of_points = entries.iter().filter(|entry| entry["log_id"].as_str().unwrap().ends_with(of));
    let mut steps: Vec<u64> = of_points.map(|entry| entry["step"].as_u64().unwrap()).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn a_run_is_mirrored_and_one_that_was_cut_off_goes_on_in_the_same_place() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens there: the run does not mind, and says so once.
    let trackers = "trackers=[{ kind = 'trackio', dir = 'trackio' }, { kind = 'wandb', dir = 'wandb' }, \
                    { kind = 'mlflow', url = 'http://127.0.0.1:9' }]";
    let own = ["train.steps=4", "train.checkpoint_every=2", "eval.limit=2", trackers];
    let settings = [&TINY_GRPO[..], &own].concat();
    let ran = train(dir.path(), &["--run-dir", "run"], &settings);
    assert_eq!(ran.stderr.matches("the run goes on, and it is tried again").count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("lacks 6 points") && ran.stderr.contains("toolrl track run"),
        "{}",
        ran.stderr
    );
    ran.ok();
    let run = dir.path().join("run");
    let first = entries(&dir.path().join("trackio"));
    assert_eq!((steps(&first, "-step"), steps(&first, "-held-out")), (vec![1, 2, 3, 4], vec![0, 4]));
    let metrics = metrics(&run);
    let third = first.iter().find(|entry| entry["log_id"].as_str().unwrap().ends_with("-3-step")).unwrap();
    assert_eq!(third["metrics"]["reward/mean"], metrics[2]["reward"]["mean"]);
    assert_eq!(third["metrics"]["loss"], metrics[2]["loss"]);
    let config = &first[0]["config"];
    assert_eq!((&config["train.method"], &config["train.steps"]), (&"grpo".into(), &4.into()));
    assert!(config.get("trackers").is_none(), "{config}");

    // Cut off after its third step: the last checkpoint is of the second.
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let cut: String = metrics[..3].iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(run.join("metrics.jsonl"), cut).unwrap();
    toolrl(dir.path(), &["train", "--resume", "run"]).ok();
    assert_eq!(entries(&dir.path().join("trackio")), first, "nothing is there twice, or otherwise");
    let ids: Vec<String> =
        serde_json::from_slice(&std::fs::read(run.join("trackers.json")).unwrap()).unwrap();
    assert_eq!((ids.len(), &first[0]["run_id"]), (1, &ids[0].clone().into()));
    let offline: Vec<_> = dir.path().join("wandb").read_dir().unwrap().collect();
    assert_eq!(offline.len(), 1, "one folder");

    // Elsewhere, afterwards.
    let said =
        toolrl(dir.path(), &["track", "run", "--to", "trackio", "--dir", "other", "--name", "mine"]).ok();
    assert_eq!(said, "Trackio at other: run mine, 6 points\n");
    let other = entries(&dir.path().join("other"));
    assert!(other.len() == 6 && other[0]["run"] == "mine" && other[0]["run_id"] == ids[0], "{other:?}");
    let error = toolrl(dir.path(), &["track", "run"]).error();
    assert!(error.contains("http://127.0.0.1:9/api/2.0/mlflow/"), "{error}");
}

#[test]
fn what_is_no_tracker_is_refused_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("trackers=[{ kind = 'neptune' }]", "unknown variant `neptune`"),
        ("trackers=[{ kind = 'wandb', dir = 'w' }, { kind = 'mlflow' }]", "trackers[1].url: is missing"),
        ("trackers=[{ kind = 'wandb', dir = 'w', entity = 'me' }]", "unknown field `entity`"),
    ];
    for (setting, part) in cases {
        let error = train(dir.path(), &["--run-dir", "run"], &[setting]).error();
        assert!(error.contains(part), "{setting}: {error}");
    }
    let error = toolrl(dir.path(), &["track", "nowhere"]).error();
    assert!(error.contains("nowhere holds no run") && !dir.path().join("nowhere").exists(), "{error}");
    let shown = train(dir.path(), &["--dry-run"], &["trackers=[{ kind = 'wandb', dir = 'w' }]"]).ok();
    assert!(shown.contains("[[trackers]]\nkind = \"wandb\""), "{shown}");
    let run = dir.path().join("run");
    std::fs::create_dir(&run).unwrap();
    file(&run, "config.toml", train(dir.path(), &["--dry-run"], &[]).ok());
    let error = toolrl(dir.path(), &["track", "run"]).error();
    assert!(error.contains("the run's recipe has none"), "{error}");
}
