//! The multi-turn cases' own calls through the evaluator: each is right.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::{Script, answer, calls, outcomes};
use serde_json::Value;
use toolrl_benchmarks::{Benchmark, Bfcl, BfclSettings, Outcome, RunSettings};
use toolrl_bfcl::{Category, Group, Sources};
use toolrl_rollout::Opening;

/// The folder of reference values, where it is.
fn shared() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let folder = std::env::var_os("TOOLRL_SHARED").map_or_else(default, PathBuf::from);
    if folder.join("golden/bfcl").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("TOOLRL_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} has no golden/bfcl", folder.display());
    eprintln!("skipped: {} has no golden/bfcl", folder.display());
    None
}

/// The folder of cases, with BFCL's `long_context.py` that `TOOLRL_BFCL_LONG_CONTEXT` names copied into it; without
/// it the category of that name is left out of the settings.
fn data(shared: &Path, copy: &Path, categories: &mut Vec<Category>) -> PathBuf {
    let data = shared.join("data/bfcl_v3");
    let Some(texts) = std::env::var_os("TOOLRL_BFCL_LONG_CONTEXT") else {
        eprintln!(
            "skipped: TOOLRL_BFCL_LONG_CONTEXT names no long_context.py, so none of that category is run"
        );
        categories.retain(|category| *category != Category::MultiTurnLongContext);
        return data;
    };
    common::copy(&data, copy);
    std::fs::copy(texts, copy.join("long_context.py")).unwrap();
    copy.to_owned()
}

/// The right calls of each turn by case.
fn traces(shared: &Path) -> HashMap<String, Vec<Vec<String>>> {
    let file = std::fs::File::open(shared.join("golden/bfcl/bfcl_mt_traces_dev.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let turn = |turn: &Value| turn["calls"].as_array().unwrap().iter().map(Value::to_string).collect();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["turns"].as_array().unwrap().iter().map(turn).collect())
    };
    text.lines().map(row).collect()
}

#[test]
fn the_right_calls_are_right() {
    let Some(shared) = shared() else {
        return;
    };
    let traces = traces(&shared);
    let mut categories = Category::of_groups(&[Group::MultiTurn]);
    let folder = tempfile::tempdir().unwrap();
    let data = data(&shared, folder.path(), &mut categories);
    let fewest = 125 * categories.len();
    let settings = BfclSettings { categories, ..BfclSettings::new().unwrap() };
    let bfcl = Bfcl::load(&Sources::new(data), settings).unwrap();
    // A turn's calls in one step, since some turns have more calls than steps are allowed; then a reply
    // without a call. A turn without calls has that reply alone.
    let mut replies: HashMap<&str, Vec<_>> = HashMap::new();
    for (id, turns) in &traces {
        let steps = replies.entry(id).or_default();
        for turn in turns {
            let turn: Vec<&str> = turn.iter().map(String::as_str).collect();
            steps.extend(Some(calls(&turn)).filter(|_| !turn.is_empty()));
            steps.push(answer("done"));
        }
    }
    let mut script = Script::new(|case: usize, step: usize, _: &Opening| {
        let steps = replies.get(bfcl.cases()[case].id.as_str());
        Ok(steps.and_then(|steps| steps.get(step)).cloned().unwrap_or_default())
    });
    let outcomes = outcomes(&bfcl, &mut script, &RunSettings::default());
    let known: Vec<_> = outcomes.iter().filter(|outcome| traces.contains_key(&outcome.id)).collect();
    // Case 154 has five turns and an answer of six, so that no run of it has the answer's number of turns.
    let is_wrong = |outcome: &&&Outcome| !outcome.right && outcome.id != "multi_turn_base_154";
    let wrong: Vec<_> =
        known.iter().filter(is_wrong).map(|outcome| (&outcome.id, &outcome.failure)).collect();
    assert!(known.len() >= fewest, "{}", known.len());
    assert!(wrong.is_empty(), "{} of {} are wrong: {wrong:?}", wrong.len(), known.len());
}
