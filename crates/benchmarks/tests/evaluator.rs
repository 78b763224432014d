//! The evaluator: rounds, the log, resuming after a kill, failures on the way.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;

use common::{Script, block_on, calls, fixture};
use toolrl_benchmarks::{ApiBank, Benchmark, BenchmarkError, Bfcl, BfclSettings};
use toolrl_benchmarks::{Header, OutcomeLog, RunSettings, run};
use toolrl_bfcl::Sources;
use toolrl_rollout::{Opening, Reply, RolloutError};

fn benchmark() -> Bfcl {
    Bfcl::load(&Sources::new(fixture("bfcl_v3")), BfclSettings::new().unwrap()).unwrap()
}

/// A reply that depends on the place alone, and makes multi-turn cases take several rounds.
fn some_reply(case: usize, step: usize, _: &Opening) -> Result<Reply, BenchmarkError> {
    Ok(match (case + step) % 3 {
        0 => calls(&[r#"{"name": "mean", "parameters": {"numbers": [1, 2]}}"#]),
        1 => calls(&[r#"{"name": "kitchen.boil", "parameters": {"litres": 1.0}}"#]),
        _ => Reply::of_text("no call"),
    })
}

#[test]
fn outcomes_do_not_depend_on_how_many_cases_are_open() {
    let benchmark = benchmark();
    let of = |open_cases, threads| {
        let settings = RunSettings { open_cases, threads, ..RunSettings::default() };
        common::outcomes(&benchmark, &mut Script::new(some_reply), &settings)
    };
    let all = of(64, 8);
    assert_eq!(all.len(), benchmark.cases().len());
    for (open_cases, threads) in [(1, 1), (3, 2), (0, 0)] {
        assert_eq!(of(open_cases, threads), all, "{open_cases} open cases");
    }
}

#[test]
fn a_run_that_was_killed_at_any_byte_goes_on() {
    let benchmark = benchmark();
    let settings = RunSettings { open_cases: 4, ..RunSettings::default() };
    let header = Header::new(&benchmark, "m", &settings);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outcomes.jsonl");
    let mut log = OutcomeLog::open(&path, &header).unwrap();
    block_on(run(&benchmark, &mut Script::new(some_reply), &mut log, &settings, |_, _| ())).unwrap();
    let whole = log.outcomes().to_vec();
    drop(log);
    let bytes = std::fs::read(&path).unwrap();
    for kept in (0..bytes.len()).step_by(211).chain([bytes.len()]) {
        std::fs::write(&path, &bytes[..kept]).unwrap();
        let mut log = OutcomeLog::open(&path, &header).unwrap();
        let before: BTreeSet<String> = log.outcomes().iter().map(|outcome| outcome.id.clone()).collect();
        let mut script = Script::new(some_reply);
        block_on(run(&benchmark, &mut script, &mut log, &settings, |_, _| ())).unwrap();
        let asked_again =
            script.asked.iter().filter(|(case, _)| before.contains(&benchmark.cases()[*case].id));
        assert_eq!(asked_again.count(), 0, "{kept} bytes");
        drop(log);
        let log = OutcomeLog::open(&path, &header).unwrap();
        let mut found = log.outcomes().to_vec();
        found.sort_by_key(|outcome| whole.iter().position(|other| other.id == outcome.id));
        assert_eq!(found, whole, "{kept} bytes");
    }
}

#[test]
fn what_was_replied_before_a_failure_counts() {
    let benchmark = ApiBank::load(&fixture("api_bank")).unwrap();
    let settings = RunSettings { open_cases: 2, ..RunSettings::default() };
    let dir = tempfile::tempdir().unwrap();
    let header = Header::new(&benchmark, "m", &settings);
    let mut log = OutcomeLog::open(&dir.path().join("outcomes.jsonl"), &header).unwrap();
    let mut failing = Script::new(|case, _, _: &Opening| match case {
        0 => Err(RolloutError::Params("broken".into()).into()),
        _ => Ok(Reply::of_text("hm")),
    });
    let error = block_on(run(&benchmark, &mut failing, &mut log, &settings, |_, _| ())).unwrap_err();
    assert!(error.to_string().contains("broken"));
    assert_eq!(log.outcomes().len(), 1);

    let mut seen = Vec::new();
    let mut script = Script::new(some_reply);
    block_on(run(&benchmark, &mut script, &mut log, &settings, |done, of| seen.push((done, of)))).unwrap();
    assert_eq!(seen.first(), Some(&(1, 3)));
    assert_eq!(seen.last(), Some(&(3, 3)));
    let cases: Vec<usize> = script.asked.iter().map(|(case, _)| *case).collect();
    assert_eq!(cases, [0, 2], "case 1 has its outcome");
}

#[test]
fn a_run_over_more_cases_takes_over_what_stands_there() {
    let benchmark = ApiBank::load(&fixture("api_bank")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outcomes.jsonl");
    for (limit, asked) in [(Some(2), 2), (Some(1), 0), (None, 1)] {
        let settings = RunSettings { limit, ..RunSettings::default() };
        let mut log = OutcomeLog::open(&path, &Header::new(&benchmark, "m", &settings)).unwrap();
        let mut script = Script::new(some_reply);
        block_on(run(&benchmark, &mut script, &mut log, &settings, |_, _| ())).unwrap();
        assert_eq!(script.asked.len(), asked, "{limit:?}");
    }
    let settings = RunSettings { limit: Some(0), ..RunSettings::default() };
    let mut log =
        OutcomeLog::open(&dir.path().join("none.jsonl"), &Header::new(&benchmark, "m", &settings)).unwrap();
    let error =
        block_on(run(&benchmark, &mut Script::new(some_reply), &mut log, &settings, |_, _| ())).unwrap_err();
    assert!(matches!(error, BenchmarkError::NoCases));
}

#[test]
fn a_log_of_another_run_is_refused_by_name() {
    let benchmark = ApiBank::load(&fixture("api_bank")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outcomes.jsonl");
    let header = Header::new(&benchmark, "m", &RunSettings::default());
    drop(OutcomeLog::open(&path, &header).unwrap());
    let change = |of: fn(&mut Header)| {
        let mut header = header.clone();
        of(&mut header);
        header
    };
    let cases = [
        (change(|header| header.model = "other".into()), "whose model is \"m\"; this one's is \"other\""),
        (change(|header| header.benchmark = "bfcl".into()), "whose benchmark"),
        (change(|header| header.handler = "native".into()), "whose handler"),
        (change(|header| header.data = "0".into()), "whose data"),
        (change(|header| header.sampling = "hot".into()), "whose sampling"),
    ];
    for (header, part) in cases {
        let error = OutcomeLog::open(&path, &header).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("outcomes.jsonl"), "{error}");
    }
    assert!(OutcomeLog::open(&path, &header).is_ok());
}

#[test]
fn a_log_that_is_none_is_refused() {
    let benchmark = ApiBank::load(&fixture("api_bank")).unwrap();
    let header = Header::new(&benchmark, "m", &RunSettings::default());
    let dir = tempfile::tempdir().unwrap();
    let first = serde_json::to_string(&header).unwrap();
    let outcome = r#"{"id": "a", "group": "g", "right": true, "failure": null, "asked": "", "expected": "", "replies": [], "tokens": 1, "cut": 0, "refused": 0}"#;
    let cases = [
        ("{}\n".to_owned(), "line 1"),
        ("\u{0}\n".to_owned(), "line 1"),
        (format!("{first}\n{{}}\n"), "line 2: no outcome"),
        (format!("{first}\n{outcome}\n{outcome}\n"), "line 3: case a stands in line 2 already"),
    ];
    for (text, part) in cases {
        let path = dir.path().join("outcomes.jsonl");
        std::fs::write(&path, text).unwrap();
        let error = OutcomeLog::open(&path, &header).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn two_processes_do_not_write_one_log() {
    let benchmark = ApiBank::load(&fixture("api_bank")).unwrap();
    let header = Header::new(&benchmark, "m", &RunSettings::default());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outcomes.jsonl");
    let first = OutcomeLog::open(&path, &header).unwrap();
    assert!(matches!(OutcomeLog::open(&path, &header), Err(BenchmarkError::Busy { .. })));
    drop(first);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"id\": \"torn").unwrap();
    assert_eq!(OutcomeLog::open(&path, &header).unwrap().outcomes().len(), 0);
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("}\n"), "the torn line is gone");
}
