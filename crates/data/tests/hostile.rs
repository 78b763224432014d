//! Datasets that were damaged, by chance or on purpose, and samples of any text.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use toolrl_data::{DataError, Message, Sample, TaskKind, load, write_jsonl, write_parquet};

/// What one file may take on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

fn put(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The first text, to be a name.
fn text_of(texts: &[String]) -> &str {
    texts.first().map_or("", String::as_str)
}

fn sample(id: &str, texts: &[String], gold: &str) -> Sample {
    let roles = ["system", "user", "assistant", "tool"].into_iter().cycle();
    let call = json!([{"type": "function", "function": {"name": text_of(texts), "arguments": {}}}]);
    let messages = texts.iter().zip(roles).map(|(text, role)| match role {
        "assistant" => Message::new(role, text).with_tool_calls(call.clone()),
        "tool" => Message::new(role, text).with_field("name", text_of(texts).into()),
        _ => Message::new(role, text),
    });
    Sample {
        id: id.to_owned(),
        messages: messages.collect(),
        tools: vec![json!({"type": "function", "function": {"name": text_of(texts)}}); texts.len() / 3],
        gold: gold.into(),
        kind: TaskKind::of_gold(gold),
        unseen_tools: texts.len() > 1,
    }
}

/// The bytes of a few samples as lines and as a table.
fn files(directory: &Path) -> [(&'static str, Vec<u8>); 2] {
    let texts = ["Be brief.".to_owned(), "naïve 😀".to_owned()];
    let samples =
        [sample("a", &texts, "<think> a </think>"), sample("b", &texts[1..], "<response> b </response>")];
    let (lines, table) = (directory.join("whole.jsonl"), directory.join("whole.parquet"));
    write_jsonl(&lines, &samples).unwrap();
    write_parquet(&table, &samples).unwrap();
    [("cut.jsonl", std::fs::read(lines).unwrap()), ("cut.parquet", std::fs::read(table).unwrap())]
}

/// Loads a damaged file: an error that names it, or samples.
fn load_damaged(path: &Path, what: &str) -> Option<Vec<Sample>> {
    let start = Instant::now();
    let loaded = load(path);
    assert!(start.elapsed() < PATIENCE, "{what}: {:?}", start.elapsed());
    match loaded {
        Ok(loaded) => Some(loaded.samples),
        Err(error) => {
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(error.to_string().contains(&*name), "{what}: {error}");
            None
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_its_first_rows() {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files(directory.path()) {
        let whole = load(&put(directory.path(), name, &bytes)).unwrap().samples;
        for len in 0..bytes.len() {
            let path = put(directory.path(), name, &bytes[..len]);
            // Lines that are there are whole; a table has what it has at its end.
            if let Some(samples) = load_damaged(&path, &format!("{name} cut to {len}")) {
                assert!(name.ends_with("jsonl") && whole.starts_with(&samples), "{name} cut to {len}");
            }
        }
    }
}

#[test]
fn a_file_with_one_bit_flipped_is_an_error_or_samples() {
    let directory = tempfile::tempdir().unwrap();
    for (name, mut bytes) in files(directory.path()) {
        for at in 0..bytes.len() {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            let path = put(directory.path(), name, &bytes);
            load_damaged(&path, &format!("{name} with byte {at} changed"));
            bytes[at] ^= bit;
        }
    }
}

#[test]
fn hostile_lines_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let deep = "[".repeat(1 << 20);
    let row = |text: &str| format!("{{\"instruction\": \"{text}\", \"input\": \"b\", \"output\": \"c\"}}\n");
    let long = row(&"x".repeat(65 << 20));
    let cases: [(&str, &str); 4] = [
        (&deep, "nested more than 990 levels deep"),
        (&long, "longer than"),
        ("{\"instruction\": \"\\ud80\"}", "not JSON"),
        ("{\"a\": \"\0\"}", "not JSON"),
    ];
    for (text, part) in cases {
        let start = Instant::now();
        let error = load(&put(directory.path(), "h.jsonl", text.as_bytes())).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(start.elapsed() < PATIENCE, "{part}: {:?}", start.elapsed());
    }
    let error = load(&put(directory.path(), "h.jsonl", long.as_bytes())).unwrap_err();
    assert!(matches!(error, DataError::LongLine { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn samples_of_any_text_come_back(
        texts in prop::collection::vec(prop::collection::vec(any::<String>(), 1..6), 1..6),
        gold: String,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let samples: Vec<Sample> =
            texts.iter().enumerate().map(|(index, texts)| sample(&index.to_string(), texts, &gold)).collect();
        let (lines, table) = (directory.path().join("a.jsonl"), directory.path().join("a.parquet"));
        write_jsonl(&lines, &samples).unwrap();
        write_parquet(&table, &samples).unwrap();
        for path in [lines, table] {
            prop_assert_eq!(&load(&path).unwrap().samples, &samples);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_samples(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let directory = tempfile::tempdir().unwrap();
        let table = [b"PAR1", bytes.as_slice(), b"\x10\0\0\0PAR1"].concat();
        for (name, bytes) in [("a.jsonl", &bytes), ("a.parquet", &table)] {
            load_damaged(&put(directory.path(), name, bytes), name);
        }
    }
}
