//! What holds for every task.

use std::collections::BTreeMap;

use serde_json::Value;

use super::generate;
use crate::world::names;
use crate::{GoldReport, Sample, TaskKind, describe};

/// The calls of a gold reply.
fn calls(gold: &str) -> Vec<Value> {
    let lines = gold.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The listed tools of a prompt in the compact form: name, and each parameter's type.
fn listed(sample: &Sample) -> BTreeMap<String, BTreeMap<String, String>> {
    let lines =
        sample.messages[0].content.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    lines
        .map(|line| {
            let (head, schema) = line.split_at(line.find('{').unwrap());
            let name = head.split([' ', ':']).nth(1).unwrap().to_owned();
            let schema: BTreeMap<String, String> = serde_json::from_str(schema).unwrap();
            let first_word = |about: String| about.split(',').next().unwrap().to_owned();
            (name, schema.into_iter().map(|(param, about)| (param, first_word(about))).collect())
        })
        .collect()
}

#[test]
fn prompts_and_replies_are_short() {
    let tasks = generate(2_000, 500);
    for part in [&tasks.train, &tasks.held_out] {
        let stats = describe(part);
        assert!((450.0..900.0).contains(&stats.mean_prompt_chars), "{stats}");
        assert!((110.0..220.0).contains(&stats.mean_gold_chars), "{stats}");
        assert!(stats.max_prompt_chars < 1_600 && stats.max_gold_chars < 520, "{stats}");
        assert!(
            part.iter()
                .all(|sample| sample.gold.is_ascii() && sample.messages.iter().all(|m| m.content.is_ascii()))
        );
    }
}

#[test]
fn every_gold_call_fits_its_prompt() {
    let tasks = generate(2_000, 500);
    for sample in tasks.train.iter().chain(&tasks.held_out) {
        let (calls, listed) = (calls(&sample.gold), listed(sample));
        assert!((2..=4).contains(&listed.len()), "{}", sample.id);
        match sample.kind {
            TaskKind::NoCall => assert!(calls.is_empty() && sample.gold.contains("<response>")),
            TaskKind::SeveralCalls => assert!((2..=3).contains(&calls.len())),
            _ => assert_eq!(calls.len(), 1),
        }
        for call in calls {
            let types = &listed[call["name"].as_str().unwrap()];
            for (param, value) in call["parameters"].as_object().unwrap() {
                let fits = match types[param].as_str() {
                    "str" => value.is_string(),
                    "int" => value.is_i64(),
                    "float" => value.is_f64(),
                    "bool" => value.is_boolean(),
                    "list" => value.is_array(),
                    other => panic!("{other}"),
                };
                assert!(fits, "{}: {param}: {value}", sample.id);
            }
        }
    }
    assert_eq!(GoldReport::of(&tasks.train).unscorable, []);
    assert_eq!(GoldReport::of(&tasks.held_out).unscorable, []);
}

#[test]
fn history_tells_the_value() {
    let tasks = generate(1_500, 0);
    for sample in tasks.train.iter().filter(|sample| sample.kind == TaskKind::History) {
        let user = &sample.messages[1].content;
        assert_eq!(user.matches("<user>").count(), 2, "{user}");
        let rows = user.split("<obs> ").nth(1).unwrap().split(" </obs>").next().unwrap();
        let rows: Vec<BTreeMap<String, Value>> = serde_json::from_str(rows).unwrap();
        let call = &calls(&sample.gold)[0];
        let values: Vec<_> = call["parameters"].as_object().unwrap().values().collect();
        assert!(rows.iter().any(|row| row.values().any(|value| values.contains(&value))), "{user}");
    }
}

#[test]
fn masked_names_tell_nothing() {
    let tasks = generate(1_000, 300);
    let masked = |sample: &&Sample| sample.kind == TaskKind::Masked;
    for sample in tasks.train.iter().chain(&tasks.held_out).filter(masked) {
        for (name, params) in listed(sample) {
            assert!(name.starts_with("func_"), "{name}");
            assert!(params.keys().all(|param| param.starts_with("arg_")), "{params:?}");
        }
    }
}

#[test]
fn names_kept_for_held_out_tasks_are_not_trained_on() {
    let tasks = generate(3_000, 500);
    let has_fresh = |sample: &Sample| names::CITIES.fresh.iter().any(|city| sample.gold.contains(city));
    assert!(!tasks.train.iter().any(has_fresh));
    assert!(tasks.held_out.iter().any(has_fresh));
}

/// The example of the manual is the first training task of the default settings.
#[test]
fn the_manual_shows_a_real_task() {
    let manual = include_str!("../../../../../docs/data.md");
    let task = &generate(1, 0).train[0];
    let parts = [&task.messages[0].content, &task.messages[1].content, task.gold.text()];
    for part in parts {
        assert!(manual.contains(part), "docs/data.md lacks:\n{part}");
    }
}
