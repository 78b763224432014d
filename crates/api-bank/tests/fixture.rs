//! Scores and broken files, on the small set of our own.

use std::path::{Path, PathBuf};

use toolrl_api_bank::rows::Row;
use toolrl_api_bank::{ApiBankError, Level, Tally, load, score};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/api_bank")
}

#[test]
fn rows_are_scored() {
    let cases = load(&folder(), &Level::ALL).unwrap();
    let call = r#"{\"name\": \"LendBook\", \"parameters\": {\"title\": \"Kim\", \"reader\": \"Ada\"}}"#;
    let rows = [
        (
            format!(r#"{{"level": 2, "id": 0, "raw_output": "<think> a </think> <tool_call>{call}"}}"#),
            r#"{"level": 2, "id": 0, "score": 1, "hard": 1, "n_tool_calls": 1, "thought": "a"}"#,
        ),
        (
            format!(r#"{{"level": 2, "id": 0, "raw_output": "{call}\n{call}"}}"#),
            r#""score": 1, "hard": 0, "n_tool_calls": 2, "thought": "{\"name\": "#,
        ),
        (
            format!(r#"{{"level": 1, "id": 0, "raw_output": "<tool_call>{call}</tool_call>"}}"#),
            r#""score": 0, "hard": 0, "n_tool_calls": 1"#,
        ),
    ];
    for (row, expected) in rows {
        let found = Row::parse(&row).unwrap().scored(&cases).unwrap().to_string();
        assert!(found.contains(expected), "{found}");
    }
    let refused = [
        ("oops", "not a row of JSON"),
        (r#"{"level": 1.0}"#, "field \"level\": expected a whole number, found 1.0"),
        (r#"{"level": 1, "id": 0}"#, "field \"raw_output\": expected a string, found nothing"),
        (r#"{"level": 4, "id": 0, "raw_output": ""}"#, "no case 0 of level 4 among the 3"),
        (r#"{"level": 1, "id": -1, "raw_output": ""}"#, "no case -1 of level 1"),
    ];
    for (row, expected) in refused {
        let error = Row::parse(row).and_then(|row| row.scored(&cases)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_overall_tally_counts_cases() {
    let cases = load(&folder(), &Level::ALL).unwrap();
    let reply = r#"<tool_call>{"reader": "Ada", "title": "Emma"}</tool_call>"#;
    let mut tally = Tally::default();
    for case in &cases {
        tally.count(case.level, score(reply, &case.answer));
    }
    assert_eq!((tally.level(Level::One).released, tally.level(Level::Three).released), (1, 0));
    let overall = tally.overall();
    assert_eq!((overall.released, overall.hard, overall.total), (1, 0, 3));
}

#[test]
fn broken_files_are_named() {
    let cases = [
        ("[", "level-1-api_processed.json: not JSON"),
        ("{}", "expected a list of cases, found object"),
        (r#"[{"system": ""}]"#, "case 0: field `user`: expected a string, found nothing"),
        (r#"[{"system": "", "user": "", "answer": []}]"#, "field `answer`: expected one call"),
        (r#"[{"system": "", "user": "", "answer": {"name": "f"}}]"#, "field `answer`: expected one call"),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("level-1-api_processed.json"), text).unwrap();
        let error = load(folder.path(), &[Level::One]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let missing = load(Path::new("/nowhere"), &[Level::Two]).unwrap_err();
    assert!(
        matches!(missing, ApiBankError::Missing { .. }) && missing.to_string().contains("ToolRL"),
        "{missing}"
    );
}
