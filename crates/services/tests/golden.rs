//! The leaderboard's cases: golden verdicts and traces of the released evaluator.

mod common;

use std::collections::BTreeSet;

use toolrl_grammar::json::{self, Value};
use toolrl_services::{Cases, Class, LongContext, ServicesError, rows};
use toolrl_testing::{long_context, shared, shared_lines};

/// The shared cases, with those of the long context where the texts for them are; `None` without the cases.
fn cases() -> Option<Cases> {
    let data = shared("data/bfcl_v3")?;
    let folder = tempfile::tempdir().expect("a folder");
    common::copy_cases(&data, folder.path());
    if let Some(texts) = long_context() {
        std::fs::copy(texts, folder.path().join(LongContext::FILE))
            .expect("TOOLRL_BFCL_LONG_CONTEXT is a file");
    }
    Some(Cases::load(folder.path()).expect("the cases load"))
}

/// What differs between the golden rows of a file and their answers, in these fields.
fn differences(file: &str, rows: usize, fields: &[&str]) -> Vec<String> {
    let (Some(lines), Some(cases)) = (shared_lines(&format!("golden/bfcl/{file}")), cases()) else {
        return Vec::new();
    };
    assert_eq!(lines.len(), rows);
    let mut differences = Vec::new();
    for line in &lines {
        let row = json::parse(line).expect("the golden row is JSON");
        if is_skipped(&row, &cases) {
            continue;
        }
        let answer = rows::answer(line.as_bytes(), &cases).unwrap_or_else(|error| panic!("{error}: {line}"));
        let answer = json::parse(&answer).expect("the answer is JSON");
        for field in fields {
            let (wanted, found) = (row.get(field).expect("the field"), answer.get(field).expect("the field"));
            if !json::equal(wanted, found) {
                differences.push(format!(
                    "{}, {field}: wanted {wanted}, found {found}",
                    row.get("id").expect("an id")
                ));
            }
        }
    }
    differences
}

/// Whether the row is one of the long context and its texts are not there.
fn is_skipped(row: &Value<'_>, cases: &Cases) -> bool {
    let id = row.get("id").and_then(Value::as_bytes).and_then(|id| std::str::from_utf8(id).ok());
    matches!(cases.get(id.expect("an id")), Err(ServicesError::NoLongContext { .. }))
}

fn assert_none(differences: &[String]) {
    let shown = differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} fields differ:\n{shown}", differences.len());
}

#[test]
fn every_verdict_agrees() {
    assert_none(&differences("bfcl_mt_verdicts_dev.jsonl.gz", 1_904, &["valid", "error_type"]));
}

#[test]
fn every_trace_agrees() {
    assert_none(&differences("bfcl_mt_traces_dev.jsonl.gz", 544, &["turns", "final_state"]));
}

#[test]
fn the_functions_are_those_of_the_documentation() {
    let Some(folder) = shared("data/bfcl_v3/multi_turn_func_doc") else {
        return;
    };
    for class in Class::ALL {
        let text = std::fs::read_to_string(folder.join(class.documentation())).expect("the documentation");
        let name = |line: &str| match json::parse(line).expect("a line of JSON").get("name") {
            Some(Value::Str(name)) => name.lossy().into_owned(),
            _ => panic!("no name: {line}"),
        };
        let documented: BTreeSet<String> = text.lines().map(name).collect();
        let own: BTreeSet<String> = class.functions().map(str::to_string).collect();
        assert_eq!(own, documented, "{class:?}");
    }
}

#[test]
fn every_case_is_loaded_and_starts() {
    let Some(cases) = cases() else {
        return;
    };
    assert_eq!(cases.len(), if long_context().is_some() { 800 } else { 600 });
    for case in cases.iter() {
        let mut session = case.session(toolrl_services::Side::GroundTruth).expect("the case starts");
        for call in case.ground_truth.iter().flatten() {
            let result = session.execute(call);
            assert!(!result.contains("(<string>, line 1)"), "{}: {call}: {result}", case.id);
        }
    }
}
