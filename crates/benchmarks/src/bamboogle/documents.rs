//! The documents of a folder that is searched.

use std::path::Path;

use serde_json::Value;
use toolrl_bamboogle::Hit;

use super::search::hit;
use crate::BenchmarkError;

/// Bytes of a passage, at most, unless a single paragraph is longer.
const PASSAGE: usize = 1_500;

/// The documents of a file.
pub(super) fn documents(path: &Path, text: &str) -> Result<Vec<Hit>, BenchmarkError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let fail = |line: usize, error: serde_json::Error| BenchmarkError::Log {
        path: path.into(),
        line,
        problem: format!("no document: {error}"),
    };
    match ending {
        "jsonl" => {
            let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
            let document = |(number, line)| serde_json::from_str(line).map_err(|error| fail(number, error));
            lines.map(document).map(|value| value.map(|value: Value| hit(&value))).collect()
        }
        "json" => {
            let value: Value = serde_json::from_str(text).map_err(|error| fail(error.line(), error))?;
            Ok(value.as_array().map_or_else(|| vec![hit(&value)], |list| list.iter().map(hit).collect()))
        }
        _ => {
            let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(passages(text).into_iter().map(|text| Hit { title: title.clone(), text }).collect())
        }
    }
}

/// A text's paragraphs, joined while they are short.
fn passages(text: &str) -> Vec<String> {
    let mut passages: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        match passages.last_mut() {
            Some(last) if last.len() + paragraph.len() < PASSAGE => *last += &format!("\n{paragraph}"),
            _ => passages.push(paragraph.to_owned()),
        }
    }
    passages
}
