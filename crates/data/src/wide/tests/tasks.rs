//! Tasks as samples: in OpenAI's form and back, and some of them to read.

use std::fmt::Write as _;

use crate::convert::openai_rows;
use crate::wide::{WideConfig, WideWorld};
use crate::{Sample, load};

#[test]
fn rows_of_openais_form_read_back_as_the_same_samples() {
    let config = WideConfig { train: 300, held_out: 200, ..WideConfig::default() };
    let tasks = WideWorld::generate(&config).unwrap();
    let samples = [tasks.train, tasks.held_out].concat();
    let converted = openai_rows(&samples);
    assert_eq!(converted.left_out, []);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tasks.jsonl");
    std::fs::write(&path, converted.rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    assert_eq!(load(&path).unwrap().samples, samples);
    let reply = |row: &serde_json::Value| row["messages"].as_array().unwrap().last().unwrap().clone();
    assert!(converted.rows.iter().all(|row| reply(row)["role"] == "assistant"));
}

/// The tasks that docs/data.md refers to.
#[test]
fn twelve_tasks_to_read() {
    let config = WideConfig { train: 6, held_out: 6, ..WideConfig::default() };
    let tasks = WideWorld::generate(&config).unwrap();
    let text: String = tasks.train.iter().chain(&tasks.held_out).map(shown).collect();
    assert!(text == include_str!("../../../tests/wide_tasks.txt"), "{text}");
}

fn shown(sample: &Sample) -> String {
    let seen = if sample.unseen_tools { "unseen tools" } else { "tools of the training domains" };
    let mut text = format!("{} ({}, {seen})\n", sample.id, sample.kind);
    for tool in &sample.tools {
        let _ = writeln!(text, "  tool       {}", tool["function"]);
    }
    for message in &sample.messages {
        let calls = message.tool_calls.as_ref().and_then(|calls| calls.pointer("/0/function"));
        let said = calls.map_or_else(|| message.content.clone(), ToString::to_string);
        let _ = writeln!(text, "  {:<10} {}", message.role, said.replace('\n', "\n             "));
    }
    let _ = writeln!(text, "  gold       {}\n", sample.gold.text().replace('\n', "\n             "));
    text
}
