//! Nothing of a benchmark is in the world: no name of a tool, and no eight words in a row of a request or a description.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use super::WideWorld;
use crate::wide::WideConfig;

#[test]
fn nothing_of_bfcl_or_api_bank_is_in_it() {
    let (Some(bfcl), Some(bank)) =
        (toolrl_testing::shared("data/bfcl_v3"), toolrl_testing::shared("data/api_bank"))
    else {
        return;
    };
    let (mut names, mut grams) = (HashSet::new(), HashSet::new());
    for row in rows(&bfcl) {
        texts(&row["question"], &mut |text| grams.extend(eights(text)));
        texts(&row["function"], &mut |text| grams.extend(eights(text)));
        let functions = row["function"].as_array().into_iter().flatten();
        names.extend(functions.filter_map(|function| Some(plain(function["name"].as_str()?))));
    }
    for row in rows(&bank) {
        texts(&row, &mut |text| {
            grams.extend(eights(text));
            let named = text.split("Name: ").skip(1).filter_map(|rest| rest.split(['\n', '\\']).next());
            names.extend(named.map(plain));
        });
    }
    assert!(names.len() > 1_500 && grams.len() > 50_000, "{} {}", names.len(), grams.len());
    let config = WideConfig { train: 5_000, held_out: 1_500, unseen_share: 0.8, ..WideConfig::default() };
    let tasks = WideWorld::generate(&config).unwrap();
    let mut found = HashSet::new();
    for sample in tasks.train.iter().chain(&tasks.held_out) {
        for tool in &sample.tools {
            let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap();
            found.extend(Some(name.to_owned()).filter(|name| names.contains(&plain(name))));
            texts(tool, &mut |text| found.extend(eights(text).filter(|eight| grams.contains(eight))));
        }
        for message in &sample.messages {
            found.extend(eights(&message.content).filter(|eight| grams.contains(eight)));
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

/// The rows of the JSON files of a folder: arrays, or a row a line.
fn rows(dir: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path| {
        let text = std::fs::read_to_string(path).unwrap();
        match serde_json::from_str::<Vec<Value>>(&text) {
            Ok(rows) => rows,
            Err(_) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        }
    };
    texts.flat_map(read).collect()
}

fn texts(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        Value::Object(entries) => entries.values().for_each(|entry| texts(entry, see)),
        _ => {}
    }
}

/// A name without its convention.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn eights(text: &str) -> impl Iterator<Item = String> {
    let words: Vec<String> = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.windows(8).map(|eight| eight.join(" ")).collect::<Vec<_>>().into_iter()
}
