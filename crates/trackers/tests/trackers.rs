//! Runs sent to trackers: to stand-ins of servers, and into folders that are read back.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod mlflow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mlflow::{Store, server};
use serde_json::{Map, Value, json};
use toolrl_testing::stub::{Answer, serve};
use toolrl_trackers::{Mirrors, Point, Status, TrackedRun, TrackerConfig, TrackerKind, fill_in};

fn run() -> TrackedRun {
    let params: Map<String, Value> =
        [("seed".to_owned(), json!(3)), ("train.method".to_owned(), json!("grpo"))].into_iter().collect();
    TrackedRun {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        name: "grpo-1".to_owned(),
        begun: 1_790_000_000.25,
        params,
        tags: vec![("program".to_owned(), "toolrl".to_owned())],
    }
}

/// Steps up to one, and an evaluation before the first and after the last.
fn points(last: u64) -> Vec<Point> {
    let of = |step: u64, of: &str, name: &str, value: f64| Point {
        step,
        of: of.to_owned(),
        time: 1_790_000_001.0 + step as f64,
        scalars: vec![(name.to_owned(), value)],
    };
    let evaluation = |step| of(step, "held-out", "evaluation/held-out/mean reward", step as f64);
    let steps = (1..=last).map(|step| of(step, "step", "loss", 0.1 / step as f64));
    std::iter::once(evaluation(0)).chain(steps).chain([evaluation(last)]).collect()
}

fn config(kind: TrackerKind, url: Option<String>, dir: Option<&Path>) -> TrackerConfig {
    let dir = dir.map(Path::to_owned);
    TrackerConfig { kind, url, dir, project: "tools".to_owned(), name: None, key_file: None }
}

/// The history of a metric: step and value.
fn history(store: &Store, name: &str) -> Vec<(u64, f64)> {
    let rows = store.runs[0]["history"].as_array().unwrap().iter().filter(|row| row["key"] == name);
    rows.map(|row| (row["step"].as_u64().unwrap(), row["value"].as_f64().unwrap())).collect()
}

#[test]
fn mlflow_has_every_point_once_however_often_a_run_is_sent() {
    let (url, store) = server(Store::default());
    let config = config(TrackerKind::Mlflow, Some(url), None);
    fill_in(&config, &run(), &points(2), Status::Stopped).unwrap();
    assert_eq!(store.lock().unwrap().runs[0]["info"]["status"], "KILLED");
    // The third step was measured by the run that went on; what is there stays as it is.
    fill_in(&config, &run(), &points(3), Status::Finished).unwrap();
    let store = store.lock().unwrap();
    assert_eq!((store.runs.len(), &store.experiments[..]), (1, &["tools".to_owned()][..]));
    assert_eq!(history(&store, "loss"), [(1, 0.1), (2, 0.05), (3, 0.1 / 3.0)]);
    assert_eq!(history(&store, "evaluation/held-out/mean reward"), [(0, 0.0), (2, 2.0), (3, 3.0)]);
    let info = &store.runs[0]["info"];
    assert_eq!((&info["status"], &info["run_name"]), (&json!("FINISHED"), &json!("grpo-1")));
    assert_eq!(info["start_time"], 1_790_000_000_250_u64);
    let data = &store.runs[0]["data"];
    let expected = json!([{ "key": "seed", "value": "3" }, { "key": "train.method", "value": "grpo" }]);
    assert_eq!((&data["params"], &data["tags"][1]["value"]), (&expected, &json!("toolrl")));
}

#[test]
fn a_request_that_arrived_though_it_failed_doubles_nothing() {
    let (url, store) = server(Store { refusals: 1, lost: 1, ..Store::default() });
    let config = config(TrackerKind::Mlflow, Some(url), None);
    // Refused; taken and lost; told again.
    for _ in 0..2 {
        fill_in(&config, &run(), &points(2), Status::Finished).unwrap_err();
    }
    fill_in(&config, &run(), &points(2), Status::Finished).unwrap();
    let store = store.lock().unwrap();
    assert_eq!(history(&store, "loss").len(), 2);
    assert_eq!((store.runs.len(), &store.runs[0]["info"]["status"]), (1, &json!("FINISHED")));
}

#[test]
fn a_token_comes_out_of_its_file_and_shows_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key");
    std::fs::write(&key_file, "secret-word\n").unwrap();
    let (url, store) = server(Store::default());
    let config = TrackerConfig { key_file: Some(key_file), ..config(TrackerKind::Mlflow, Some(url), None) };
    fill_in(&config, &run(), &points(1), Status::Finished).unwrap();
    assert!(store.lock().unwrap().headers.contains(&"authorization: bearer secret-word".to_owned()));
    store.lock().unwrap().refusals = 1;
    let error = fill_in(&config, &run(), &points(1), Status::Finished).unwrap_err();
    assert!(error.to_string().ends_with("503: away"), "{error}");
    assert!(!format!("{error:?} {config:?}").contains("secret"));
    let missing = TrackerConfig { key_file: Some(dir.path().join("none")), ..config };
    assert!(Mirrors::open(&[missing], &run(), &[]).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_server_that_is_away_holds_nothing_up() {
    let (url, store) = server(Store { refusals: 1, ..Store::default() });
    let gone = config(TrackerKind::Mlflow, Some("http://127.0.0.1:9".to_owned()), None);
    let there = config(TrackerKind::Mlflow, Some(url), None);
    let all = points(5);
    let mut mirrors = Mirrors::open(&[gone, there], &run(), &all[..2]).unwrap();
    all[2..].iter().for_each(|point| mirrors.point(|| point.clone()));
    mirrors.end(Status::Finished, "again");
    assert_eq!(history(&store.lock().unwrap(), "loss").len(), 5);
    // Without trackers nothing is made of a step.
    Mirrors::default().point(|| unreachable!());
}

#[test]
fn trackio_gets_the_same_entries_by_its_server_and_by_its_folder() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let url = serve(move |request| {
        assert!(
            request.path == "/api/bulk_log"
                && request.headers.contains(&"x-trackio-write-token: t".to_owned())
        );
        kept.lock().unwrap().extend(request.body["kwargs"]["logs"].as_array().unwrap().iter().cloned());
        Answer::ok(&json!({ "data": null }))
    });
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "t").unwrap();
    let by_server = TrackerConfig { key_file: Some(key), ..config(TrackerKind::Trackio, Some(url), None) };
    fill_in(&by_server, &run(), &points(2), Status::Finished).unwrap();
    fill_in(&config(TrackerKind::Trackio, None, Some(dir.path())), &run(), &points(2), Status::Finished)
        .unwrap();
    let file = files(&dir.path().join("inbox/0123456789abcdef")).pop().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, *asked.lock().unwrap());
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["config"]["train.method"], "grpo");
    let last = json!({
        "v": 1, "kind": "metric", "project": "tools", "run": "grpo-1", "run_id": run().id,
        "metrics": { "evaluation/held-out/mean reward": 2.0 }, "step": 2,
        "timestamp": "2026-09-21T14:13:23+00:00", "config": null,
        "log_id": "0123456789abcdef0123456789abcdef-2-held-out",
    });
    assert_eq!(rows[3], last);
}

/// The files in a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The records of a LevelDB log behind seven bytes, put together again.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut out, mut part) = (7, Vec::new(), Vec::new());
    while at < bytes.len() {
        let left = 32768 - at % 32768;
        if left < 7 {
            assert!(bytes[at..at + left].iter().all(|&b| b == 0));
            at += left;
            continue;
        }
        let length = usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]));
        let kind = bytes[at + 6];
        let data = &bytes[at + 7..at + 7 + length];
        let mut crc = flate2::Crc::new();
        crc.update(&[kind]);
        crc.update(data);
        assert_eq!(crc.sum().to_le_bytes(), bytes[at..at + 4]);
        assert_eq!(part.is_empty(), matches!(kind, 1 | 2), "kind {kind}");
        part.extend(data);
        if matches!(kind, 1 | 4) {
            out.push(std::mem::take(&mut part));
        }
        at += 7 + length;
    }
    out
}

#[test]
fn an_offline_folder_has_a_row_a_step_and_is_whole_after_a_torn_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(TrackerKind::Wandb, None, Some(dir.path()));
    let long = run();
    // Enough for several blocks of 32 KiB.
    fill_in(&config, &long, &points(400), Status::Stopped).unwrap();
    let folder = files(dir.path()).pop().unwrap();
    assert_eq!(folder.file_name().unwrap(), "offline-run-20260921_141320-01234567");
    let path = folder.join("run-01234567.wandb");
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 2 * 32768 && bytes.starts_with(b":W&B\xe1\xbe\x00"));
    // Header and run; the step before the first and 400, history and summary each; the exit.
    assert_eq!(records(&bytes).len(), 2 + 2 * 401 + 1);
    let whole =
        |text: &str| records(&bytes).iter().filter(|row| String::from_utf8_lossy(row).contains(text)).count();
    assert_eq!(whole("train.method"), 1);
    assert_eq!(whole("evaluation/held-out/mean reward"), 4, "the last step's is in its row");
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    fill_in(&config, &long, &points(400), Status::Finished).unwrap();
    assert_eq!(records(&std::fs::read(&path).unwrap()).len(), 2 + 2 * 401 + 1);
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for kind in [TrackerKind::Wandb, TrackerKind::Trackio] {
        let error =
            fill_in(&config(kind, None, Some(&file)), &run(), &points(1), Status::Finished).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
