//! What the settings promise.

use std::collections::HashSet;

use super::generate;
use crate::random::hash;
use crate::world::{Mix, Part, Template, World, WorldConfig};
use crate::{Sample, TaskKind, describe};

#[test]
fn tasks_are_distinct_and_parts_are_disjoint() {
    let tasks = generate(5_000, 600);
    let key = |sample: &Sample| (sample.messages[1].content.clone(), sample.gold.clone());
    let train: HashSet<_> = tasks.train.iter().map(key).collect();
    let held_out: HashSet<_> = tasks.held_out.iter().map(key).collect();
    assert_eq!((train.len(), held_out.len()), (5_000, 600));
    assert!(train.is_disjoint(&held_out));
    let other_seed = WorldConfig { seed: 2, train: 5_000, held_out: 0, ..WorldConfig::default() };
    let other: HashSet<_> = World::generate(&other_seed).unwrap().train.iter().map(key).collect();
    assert!(other.is_disjoint(&held_out));
    assert!(other.intersection(&train).count() < 500);
}

#[test]
fn a_task_does_not_depend_on_how_many_there_are() {
    let (few, many) = (generate(40, 30), generate(300, 90));
    assert_eq!(few.train[..], many.train[..40]);
    assert_eq!(few.held_out[..], many.held_out[..30]);
}

/// Pinned: a change here changes every checkpoint and figure made from the world.
#[test]
fn the_same_seed_gives_the_same_tasks_everywhere() {
    let tasks = generate(200, 50);
    let texts: Vec<_> = tasks
        .train
        .iter()
        .chain(&tasks.held_out)
        .flat_map(|sample| sample.messages.iter().map(|m| m.content.as_str()).chain([sample.gold.text()]))
        .collect();
    assert_eq!(hash(&texts), PINNED);
}

const PINNED: u64 = 7_631_185_434_057_112_997;

#[test]
fn kinds_and_unseen_tools_come_as_often_as_set() {
    let tasks = generate(4_000, 1_000);
    let stats = describe(&tasks.train);
    let expected = Mix::default().weights().map(|(kind, weight)| (kind, weight as usize * 40));
    for (kind, expected) in expected {
        let found = stats.by_kind[&kind];
        assert!(found.abs_diff(expected) < 100, "{kind}: {found}, expected about {expected}");
    }
    assert_eq!(stats.unseen_tools, 0);
    let unseen = describe(&tasks.held_out).unseen_tools;
    assert!((250..350).contains(&unseen), "{unseen}");
}

#[test]
fn slips_change_training_replies_alone() {
    let with = |slips| World::generate(&WorldConfig { slips, train: 400, ..WorldConfig::default() }).unwrap();
    let (clean, hurried) = (with(0.0), with(0.6));
    assert_eq!(clean.held_out, hurried.held_out);
    let prompts = |samples: &[Sample]| samples.iter().map(|s| s.messages.clone()).collect::<Vec<_>>();
    assert_eq!(prompts(&clean.train), prompts(&hurried.train));
    let pairs = clean.train.iter().zip(&hurried.train).filter(|(clean, hurried)| clean.gold != hurried.gold);
    let changed: Vec<_> = pairs.collect();
    assert!((200..280).contains(&changed.len()), "{}", changed.len());
    for (clean, hurried) in changed {
        let lines = |sample: &Sample| sample.gold.lines().count();
        match clean.kind {
            TaskKind::SeveralCalls => assert_eq!(lines(hurried) + 1, lines(clean), "{}", hurried.gold),
            TaskKind::NoCall => assert!(hurried.gold.contains("\"parameters\": {}}"), "{}", hurried.gold),
            _ => {
                let shared = clean.gold.bytes().zip(hurried.gold.bytes()).take_while(|(a, b)| a == b).count();
                assert!(clean.gold[shared..].starts_with([',', '"']), "{}", clean.gold);
                assert_eq!(hurried.gold[shared..].trim_start_matches('}'), "\n</tool_call>");
            }
        }
    }
}

#[test]
fn a_template_of_ones_own() {
    let text = "{% block system %}{% for tool in tools %}{{ tool.parameters }} {% endfor %}tools{% endblock %}\
                {% block user %}{{ request }}{% endblock %}";
    let config = WorldConfig {
        train: 3,
        held_out: 0,
        template: Template::Text(text.to_owned()),
        ..WorldConfig::default()
    };
    let task = &World::generate(&config).unwrap().train[0];
    let system = &task.messages[0].content;
    assert!(
        system.ends_with("} tools") && system.contains(r#": {"type": "str", "description": ""#),
        "{system}"
    );
    assert!(!task.messages[1].content.contains("<user>"));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let base = WorldConfig::default;
    let no_mix = Mix { one_call: 0, several_calls: 0, no_call: 0, history: 0, masked: 0 };
    let text = |text: &str| Template::Text(text.to_owned());
    let cases = [
        (WorldConfig { unseen_share: 1.5, ..base() }, "unseen_share"),
        (WorldConfig { hard_values: f64::NAN, ..base() }, "hard_values"),
        (WorldConfig { slips: -0.1, ..base() }, "slips"),
        (WorldConfig { min_tools: 1, ..base() }, "min_tools"),
        (WorldConfig { max_tools: 9, ..base() }, "max_tools"),
        (WorldConfig { mix: no_mix, ..base() }, "mix"),
        (WorldConfig { template: text("{% block system %}"), ..base() }, "template"),
        (WorldConfig { template: text("{% block system %}a{% endblock %}"), ..base() }, "user"),
        (WorldConfig { template: Template::File("/none/such.jinja".into()), ..base() }, "/none/such.jinja"),
    ];
    for (config, named) in cases {
        let error = World::generate(&config).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn unknown_settings_are_refused() {
    let config: WorldConfig = serde_json::from_str(r#"{"seed": 4, "mix": {"masked": 0}}"#).unwrap();
    assert_eq!((config.seed, config.mix.masked, config.mix.one_call), (4, 0, 35));
    for text in [r#"{"sead": 4}"#, r#"{"mix": {"one": 1}}"#, r#"{"template": "none"}"#] {
        assert!(serde_json::from_str::<WorldConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn the_parts_have_their_own_ids() {
    let tasks = generate(2, 2);
    assert_eq!([tasks.train[1].id.as_str(), tasks.held_out[1].id.as_str()], ["train:1", "held_out:1"]);
    assert_ne!(Part::Train.name(), Part::HeldOut.name());
}
