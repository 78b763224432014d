//! What the settings promise.

use std::collections::HashSet;

use serde_json::Value;

use crate::random::hash;
use crate::wide::words::Words;
use crate::wide::{GoldOf, Thoughts, WideConfig, WideMix, WideWorld};
use crate::world::WorldTasks;
use crate::{Sample, TaskKind, describe};

fn generate(train: usize, held_out: usize) -> WorldTasks {
    WideWorld::generate(&WideConfig { train, held_out, ..WideConfig::default() }).unwrap()
}

/// Pinned: a change here changes every figure made from the world.
#[test]
fn the_same_seed_gives_the_same_tasks_everywhere() {
    let tasks = generate(300, 100);
    let text = serde_json::to_string(&(tasks.train, tasks.held_out)).unwrap();
    assert_eq!(hash(&[&text]), PINNED);
}

const PINNED: u64 = 11_092_268_654_299_115_657;

#[test]
fn a_task_does_not_depend_on_how_many_there_are() {
    let (few, many) = (generate(40, 30), generate(120, 50));
    assert_eq!(few.train[..], many.train[..40]);
    assert_eq!(few.held_out[..], many.held_out[..30]);
    let other = WideConfig { seed: 2, train: 40, held_out: 0, ..WideConfig::default() };
    let other = WideWorld::generate(&other).unwrap().train;
    assert!(other.iter().zip(&few.train).all(|(a, b)| a.messages != b.messages));
}

#[test]
fn kinds_and_unseen_tools_come_as_often_as_set() {
    let tasks = generate(4_000, 600);
    let stats = describe(&tasks.train);
    for (kind, weight) in WideMix::default().weights() {
        let (found, expected) = (stats.by_kind[&kind], weight as usize * 40);
        assert!(found.abs_diff(expected) < 100, "{kind}: {found}, expected about {expected}");
    }
    assert_eq!(stats.unseen_tools, 0);
    let unseen = describe(&tasks.held_out).unseen_tools;
    assert!((250..350).contains(&unseen), "{unseen}");
    let mut prompts: Vec<_> = tasks.train.iter().map(|sample| (&sample.messages, &sample.tools)).collect();
    let count = prompts.len();
    prompts.sort_by_cached_key(|prompt| serde_json::to_string(prompt).unwrap());
    prompts.dedup();
    assert!(count - prompts.len() <= count / 1_000, "{} of {count} are there twice", count - prompts.len());
}

#[test]
fn some_domains_alone_and_thoughts() {
    let config = WideConfig {
        train: 150,
        held_out: 20,
        domains: Some(5),
        thoughts: Thoughts::Short,
        ..WideConfig::default()
    };
    let WorldTasks { train: tasks, held_out } = WideWorld::generate(&config).unwrap();
    let prompts =
        |samples: &[Sample]| samples.iter().map(|sample| sample.messages.clone()).collect::<Vec<_>>();
    assert_eq!(prompts(&held_out), prompts(&generate(0, 20).held_out));
    let [train, _] = Words::both().unwrap();
    let first: Vec<_> = train.domains[..5].iter().map(|domain| domain.id.as_str()).collect();
    let dotted = |sample: &Sample| -> Vec<String> {
        let names = sample.tools.iter().filter_map(|tool| tool["function"]["name"].as_str());
        names.filter_map(|name| Some(name.split_once('.')?.0.to_owned())).collect()
    };
    let domains: Vec<_> = tasks.iter().flat_map(dotted).collect();
    assert!(
        !domains.is_empty() && domains.iter().all(|domain| first.contains(&domain.as_str())),
        "{domains:?}"
    );
    assert!(tasks.iter().all(|sample| sample.gold.starts_with("<think> ")));
}

/// Training alone has made-up names; they come once, and the gold reply calls by them.
#[test]
fn made_up_names_come_once() {
    let config = WideConfig { made_up: 1.0, train: 300, held_out: 20, ..WideConfig::default() };
    let tasks = WideWorld::generate(&config).unwrap();
    assert_eq!(tasks.held_out, generate(0, 20).held_out);
    let names = |sample: &Sample| -> Vec<String> {
        sample.tools.iter().filter_map(|tool| Some(tool["function"]["name"].as_str()?.to_owned())).collect()
    };
    let unmasked: Vec<_> = tasks.train.iter().filter(|sample| sample.kind != TaskKind::Masked).collect();
    let all: Vec<String> = unmasked.iter().flat_map(|sample| names(sample)).collect();
    let distinct: HashSet<&String> = all.iter().collect();
    assert!(all.len() - distinct.len() < all.len() / 50, "{} of {}", distinct.len(), all.len());
    for sample in unmasked {
        let listed = names(sample);
        let mut called = sample.gold.turn().calls.iter().map(|call| call.name.lossy());
        assert!(called.all(|name| listed.contains(&name.into_owned())), "{}", sample.gold.text());
        let described = |tool: &Value| {
            let all = tool["function"]["parameters"]["properties"].as_object().into_iter().flatten();
            all.into_iter().all(|(_, schema)| schema.get("description").is_some())
        };
        assert!(sample.tools.iter().all(described), "{:?}", sample.tools);
    }
}

/// The control: the same prompts and the same gold replies, none of them with its own.
#[test]
fn gold_replies_of_other_tasks() {
    let own = generate(300, 20);
    let config = WideConfig { gold: GoldOf::Another, train: 300, held_out: 20, ..WideConfig::default() };
    let other = WideWorld::generate(&config).unwrap();
    assert_eq!(other.held_out, own.held_out);
    let pairs = || own.train.iter().zip(&other.train);
    assert!(
        pairs().all(
            |(own, other)| (&own.id, &own.messages, own.kind) == (&other.id, &other.messages, other.kind)
        )
    );
    let of_own = pairs().filter(|(own, other)| own.gold.text() == other.gold.text()).count();
    assert!(of_own < 10, "words such as \"it's done\" are several tasks': {of_own}");
    let sorted = |samples: &[Sample]| {
        let mut golds: Vec<String> = samples.iter().map(|sample| sample.gold.text().to_owned()).collect();
        golds.sort();
        golds
    };
    assert_eq!(sorted(&own.train), sorted(&other.train));
    assert_eq!(WideWorld::generate(&config).unwrap().train, other.train);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let base = WideConfig::default;
    let none = WideMix {
        one_call: 0,
        several_calls: 0,
        no_call: 0,
        ask_back: 0,
        history: 0,
        multi_hop: 0,
        masked: 0,
    };
    let cases = [
        (WideConfig { unseen_share: 1.5, ..base() }, "unseen_share"),
        (WideConfig { hard_values: f64::NAN, ..base() }, "hard_values"),
        (WideConfig { made_up: -0.1, ..base() }, "made_up"),
        (WideConfig { min_tools: 1, ..base() }, "min_tools"),
        (WideConfig { max_tools: 9, ..base() }, "max_tools"),
        (WideConfig { max_chars: 100, ..base() }, "max_chars"),
        (WideConfig { domains: Some(0), ..base() }, "domains"),
        (WideConfig { domains: Some(900), ..base() }, "domains"),
        (WideConfig { mix: none, ..base() }, "mix"),
    ];
    for (config, named) in cases {
        let error = WideWorld::generate(&config).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    for text in [r#"{"sead": 4}"#, r#"{"mix": {"one": 1}}"#, r#"{"thoughts": "long"}"#] {
        assert!(serde_json::from_str::<WideConfig>(text).is_err(), "{text}");
    }
}
