//! `toolrl reward`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::{file, json_lines, toolrl};

const CALL: &str =
    "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": 1}}\n</tool_call>";
const ANSWER: &str = "<think> a </think>\n<response> b </response>";

/// Rows with the score that each must get, or the part of its error.
fn cases() -> Vec<(Value, Result<f64, &'static str>)> {
    let row = |id: &str, solution: &str, truth: &str| json!({"id": id, "solution_str": solution, "ground_truth": truth});
    vec![
        (row("right", CALL, CALL), Ok(4.0)),
        // One of three points is lost, each worth two.
        (row("wrong value", &CALL.replace('1', "2"), CALL), Ok(2.0)),
        (row("nothing", "", CALL), Ok(-3.0)),
        (row("unreadable gold", CALL, "<think> not <tool_call> yet </think>"), Err("reference")),
        (row("answer", ANSWER, ANSWER), Ok(1.0)),
        (row("call instead of answer", CALL, ANSWER), Ok(0.0)),
    ]
}

fn rows() -> String {
    cases().iter().map(|(row, _)| format!("{row}\n")).collect()
}

#[test]
fn scores_keep_the_order_and_an_error_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let scored =
        toolrl(dir.path(), &["reward", "score", "--rows", &file(dir.path(), "r.jsonl", rows())]).rows();
    assert_eq!(scored.len(), cases().len());
    for (scored, (row, expected)) in scored.iter().zip(cases()) {
        assert_eq!(scored["id"], row["id"]);
        match expected {
            Ok(score) => {
                assert_eq!(scored["score"].as_f64(), Some(score), "{scored}");
                let sum = scored["format"].as_f64().unwrap() + scored["correctness"].as_f64().unwrap();
                assert_eq!(sum, score, "{scored}");
                assert_eq!(scored["bits"][0], format!("{:016x}", score.to_bits()));
            }
            Err(part) => {
                assert!(scored["error"].as_str().unwrap().contains(part), "{scored}");
                assert!(scored.get("score").is_none());
            }
        }
    }
}

#[test]
fn gzip_and_an_output_file_change_nothing_in_the_scores() {
    let dir = tempfile::tempdir().unwrap();
    let plain = toolrl(dir.path(), &["reward", "score", "--rows", &file(dir.path(), "r.jsonl", rows())]).ok();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(rows().as_bytes()).unwrap();
    let packed = file(dir.path(), "r.jsonl.gz", packed.finish().unwrap());
    let said = toolrl(dir.path(), &["reward", "score", "--rows", &packed, "--out", "scores.jsonl"]).ok();
    assert_eq!(said, "", "the scores go to the file alone");
    assert_eq!(std::fs::read_to_string(dir.path().join("scores.jsonl")).unwrap(), plain);
}

#[test]
fn a_variant_and_a_step_change_the_score() {
    let dir = tempfile::tempdir().unwrap();
    let row = |step: u64| {
        let variant = json!({"SCHEDULEREWARD": "1"});
        json!({"solution_str": CALL, "ground_truth": CALL, "step": step, "variant": variant})
    };
    let rows = file(dir.path(), "r.jsonl", format!("{}\n{}\n", row(0), row(150)));
    let scored = toolrl(dir.path(), &["reward", "score", "--rows", &rows]).rows();
    assert_ne!(scored[0]["format"], scored[1]["format"], "{scored:?}");
    assert_ne!(scored[0]["correctness"], scored[1]["correctness"], "{scored:?}");
}

#[test]
fn what_was_scored_before_a_broken_line_stays() {
    let dir = tempfile::tempdir().unwrap();
    let broken = file(dir.path(), "r.jsonl", format!("{}\n\n{{\"solution_str\": \n", cases()[0].0));
    let ran = toolrl(dir.path(), &["reward", "score", "--rows", &broken]);
    assert_eq!(json_lines(&ran.stdout).len(), 1);
    let message = ran.error();
    assert!(message.contains("r.jsonl, line 3: "), "{message}");
}

#[test]
fn explanations_name_each_row_and_what_it_lost() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        toolrl(dir.path(), &["reward", "explain", "--rows", &file(dir.path(), "r.jsonl", rows())]).ok();
    for part in
        ["row 1 (\"right\")", "row 2 (\"wrong value\")", "total 2.000", "values: 0.000 of 1", "error: "]
    {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
