//! `toolrl calls`: replies in the dialects of models.

use serde_json::{Value, json};

use crate::{file, toolrl};

#[test]
fn what_is_written_is_read_again_with_its_types() {
    let dir = tempfile::tempdir().unwrap();
    let function = json!({"name": "f", "arguments": "{\"n\": 3, \"city\": \"Zürich\", \"on\": true}"});
    let message =
        json!({"role": "assistant", "content": "I look.", "tool_calls": [{"id": "a", "function": function}]});
    let messages = file(dir.path(), "messages.jsonl", format!("{message}\n"));
    let types = json!({"n": {"type": "integer"}, "city": {"type": "string"}, "on": {"type": "boolean"}});
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": types}}}]);
    for dialect in ["hermes", "qwen3_coder", "glm45", "harmony", "lfm2"] {
        let written =
            toolrl(dir.path(), &["calls", "write", "--dialect", dialect, "--rows", &messages]).rows();
        let row = json!({"text": written[0]["text"], "tools": tools});
        let replies = file(dir.path(), "replies.jsonl", row.to_string());
        let read = toolrl(dir.path(), &["calls", "parse", "--dialect", dialect, "--rows", &replies]).rows();
        assert_eq!(read[0]["outcome"], "whole", "{dialect}");
        assert_eq!(read[0]["response"], "I look.", "{dialect}");
        let arguments = json!({"n": 3, "city": "Zürich", "on": true});
        assert_eq!(read[0]["calls"][0]["arguments"], arguments, "{dialect}");
    }
}

#[test]
fn a_broken_reply_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let rows = ["<think>a</think><tool_call>{\"name\": 1}</tool_call>", "<tool_call>{\"na", "[TOOL_CALLS]"];
    let rows: String = rows.map(|text| format!("{}\n", json!({"text": text}))).concat();
    let rows = file(dir.path(), "rows.jsonl", rows);
    let read = toolrl(dir.path(), &["calls", "parse", "--dialect", "hermes", "--rows", &rows]).rows();
    let outcomes: Vec<_> = read.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["malformed", "incomplete", "foreign"]);
    assert_eq!((&read[0]["at"], &read[0]["thoughts"]), (&json!(27), &json!("a")));
    assert_eq!(read[0]["faults"][0]["span"], json!([27, 38]));
    assert_eq!(read[1]["calls"], Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_said_is_an_error_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let function = json!({"name": "f", "arguments": {"a": "</parameter>"}});
    let rows = format!("{}\n{}\n", json!({"content": "x"}), json!({"tool_calls": [{"function": function}]}));
    let rows = file(dir.path(), "rows.jsonl", rows);
    let ran = toolrl(dir.path(), &["calls", "write", "--dialect", "qwen3_coder", "--rows", &rows]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("line 2") && ran.stderr.contains("cannot say the calls"), "{}", ran.stderr);
    let unknown = toolrl(dir.path(), &["calls", "parse", "--dialect", "herms", "--rows", &rows]);
    assert!(unknown.stderr.contains("kimi_k2"), "{}", unknown.stderr);
}
