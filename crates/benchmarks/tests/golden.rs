//! The multi-turn cases' own calls through the evaluator: each is right.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use common::{Script, answer, calls, outcomes};
use serde_json::Value;
use toolrl_benchmarks::{Benchmark, Bfcl, BfclSettings, Outcome, RunSettings};
use toolrl_bfcl::{Category, Group, Sources};
use toolrl_rollout::Opening;
use toolrl_testing::{long_context, shared, shared_lines};

/// The folder of cases, with BFCL's `long_context.py` copied into it; without that its category is left out of the settings.
fn data(data: PathBuf, copy: &Path, categories: &mut Vec<Category>) -> PathBuf {
    let Some(texts) = long_context() else {
        categories.retain(|category| *category != Category::MultiTurnLongContext);
        return data;
    };
    common::copy(&data, copy);
    std::fs::copy(texts, copy.join("long_context.py")).unwrap();
    copy.to_owned()
}

/// The right calls of each turn by case.
fn traces(lines: &[String]) -> HashMap<String, Vec<Vec<String>>> {
    let turn = |turn: &Value| turn["calls"].as_array().unwrap().iter().map(Value::to_string).collect();
    let row = |line: &String| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["turns"].as_array().unwrap().iter().map(turn).collect())
    };
    lines.iter().map(row).collect()
}

#[test]
fn the_right_calls_are_right() {
    let Some(lines) = shared_lines("golden/bfcl/bfcl_mt_traces_dev.jsonl.gz") else { return };
    let Some(cases) = shared("data/bfcl_v3") else { return };
    let traces = traces(&lines);
    let mut categories = Category::of_groups(&[Group::MultiTurn]);
    let folder = tempfile::tempdir().unwrap();
    let data = data(cases, folder.path(), &mut categories);
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
