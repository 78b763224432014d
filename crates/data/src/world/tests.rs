use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::slot::{Draw, Slot};
use super::tool::{Domain, Tool};
use super::{Mix, Part, Template, World, WorldConfig, WorldTasks, names, numbers, tools};
use crate::random::{Rng, hash};
use crate::{GoldReport, Sample, TaskKind, describe};

fn generate(train: usize, held_out: usize) -> WorldTasks {
    World::generate(&WorldConfig {
        train,
        held_out,
        ..WorldConfig::default()
    })
    .unwrap()
}

/// The calls of a gold reply.
fn calls(gold: &str) -> Vec<Value> {
    let lines = gold.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The listed tools of a prompt in the compact form: name, and each parameter's type.
fn listed(sample: &Sample) -> BTreeMap<String, BTreeMap<String, String>> {
    let lines = sample.messages[0]
        .content
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    lines
        .map(|line| {
            let (head, schema) = line.split_at(line.find('{').unwrap());
            let name = head.split([' ', ':']).nth(1).unwrap().to_owned();
            let schema: BTreeMap<String, String> = serde_json::from_str(schema).unwrap();
            let first_word = |about: String| about.split(',').next().unwrap().to_owned();
            (
                name,
                schema
                    .into_iter()
                    .map(|(param, about)| (param, first_word(about)))
                    .collect(),
            )
        })
        .collect()
}

fn all_tools(domains: &[&'static Domain]) -> Vec<&'static Tool> {
    domains.iter().flat_map(|domain| domain.tools).collect()
}

#[test]
fn the_tables_are_whole() {
    let (known, unseen) = (all_tools(&tools::KNOWN), all_tools(&tools::UNSEEN));
    assert!(
        known.len() >= 40 && tools::KNOWN.len() >= 8,
        "{} tools",
        known.len()
    );
    assert!(
        unseen.len() >= 12 && tools::UNSEEN.len() >= 3,
        "{} tools",
        unseen.len()
    );
    let both: Vec<_> = known.iter().chain(&unseen).collect();
    for field in [|tool: &Tool| tool.name, |tool: &Tool| tool.task] {
        assert_eq!(
            both.iter()
                .map(|tool| field(tool))
                .collect::<HashSet<_>>()
                .len(),
            both.len()
        );
    }
    for tool in both {
        assert!(!tool.leads.is_empty(), "{}", tool.name);
        for lead in tool.leads {
            let rest = tool.params.iter().fold((*lead).to_owned(), |s, p| {
                s.replace(&format!("{{{}}}", p.name), "")
            });
            assert!(!rest.contains(['{', '}']), "{}: {lead}", tool.name);
        }
        let abouts: HashSet<_> = tool.params.iter().map(|param| param.about).collect();
        assert_eq!(
            abouts.len(),
            tool.params.len(),
            "{}: masked, two parameters look alike",
            tool.name
        );
        for param in tool.params {
            assert!(
                param.fragment.contains("{}"),
                "{}: {}",
                tool.name,
                param.name
            );
            if let Slot::Choice(choices) = param.slot {
                let told = choices.iter().all(|(value, _)| param.about.contains(value));
                assert!(
                    told,
                    "{}: {} does not tell its values",
                    tool.name, param.name
                );
            }
        }
    }
}

#[test]
fn unseen_tools_share_nothing_with_known_ones() {
    let params = |domains: &[&'static Domain]| -> BTreeSet<&str> {
        all_tools(domains)
            .iter()
            .flat_map(|tool| tool.params)
            .map(|param| param.name)
            .collect()
    };
    let shared: Vec<_> = params(&tools::KNOWN)
        .intersection(&params(&tools::UNSEEN))
        .copied()
        .collect();
    assert_eq!(shared, Vec::<&str>::new());
    let domains = |domains: &[&'static Domain]| -> BTreeSet<&str> {
        domains.iter().map(|d| d.name).collect()
    };
    assert!(domains(&tools::KNOWN).is_disjoint(&domains(&tools::UNSEEN)));
}

#[test]
fn follow_ups_name_tools_and_parameters() {
    for domains in [&tools::KNOWN[..], &tools::UNSEEN[..]] {
        let follow_ups: Vec<_> = domains
            .iter()
            .flat_map(|domain| domain.follow_ups)
            .collect();
        assert!(!follow_ups.is_empty());
        for follow_up in follow_ups {
            assert!(
                tools::find(domains, follow_up.first).is_some(),
                "{}",
                follow_up.first
            );
            let then = tools::find(domains, follow_up.then).unwrap();
            let param = then
                .params
                .iter()
                .find(|param| param.name == follow_up.param)
                .unwrap();
            assert!(
                matches!(param.slot, Slot::Name(_) | Slot::Code),
                "{}",
                follow_up.then
            );
        }
    }
}

#[test]
fn tasks_are_distinct_and_parts_are_disjoint() {
    let tasks = generate(5_000, 600);
    let key = |sample: &Sample| (sample.messages[1].content.clone(), sample.gold.clone());
    let train: HashSet<_> = tasks.train.iter().map(key).collect();
    let held_out: HashSet<_> = tasks.held_out.iter().map(key).collect();
    assert_eq!((train.len(), held_out.len()), (5_000, 600));
    assert!(train.is_disjoint(&held_out));
    let other_seed = WorldConfig {
        seed: 2,
        train: 5_000,
        held_out: 0,
        ..WorldConfig::default()
    };
    let other: HashSet<_> = World::generate(&other_seed)
        .unwrap()
        .train
        .iter()
        .map(key)
        .collect();
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
        .flat_map(|sample| {
            sample
                .messages
                .iter()
                .map(|m| m.content.as_str())
                .chain([sample.gold.as_str()])
        })
        .collect();
    assert_eq!(hash(&texts), PINNED);
}

const PINNED: u64 = 7_631_185_434_057_112_997;

#[test]
fn kinds_and_unseen_tools_come_as_often_as_set() {
    let tasks = generate(4_000, 1_000);
    let stats = describe(&tasks.train);
    let expected = Mix::default()
        .weights()
        .map(|(kind, weight)| (kind, weight as usize * 40));
    for (kind, expected) in expected {
        let found = stats.by_kind[&kind];
        assert!(
            found.abs_diff(expected) < 100,
            "{kind}: {found}, expected about {expected}"
        );
    }
    assert_eq!(stats.unseen_tools, 0);
    let unseen = describe(&tasks.held_out).unseen_tools;
    assert!((250..350).contains(&unseen), "{unseen}");
}

#[test]
fn prompts_and_replies_are_short() {
    let tasks = generate(2_000, 500);
    for part in [&tasks.train, &tasks.held_out] {
        let stats = describe(part);
        assert!((450.0..900.0).contains(&stats.mean_prompt_chars), "{stats}");
        assert!((110.0..220.0).contains(&stats.mean_gold_chars), "{stats}");
        assert!(
            stats.max_prompt_chars < 1_600 && stats.max_gold_chars < 520,
            "{stats}"
        );
        assert!(
            part.iter().all(|sample| sample.gold.is_ascii()
                && sample.messages.iter().all(|m| m.content.is_ascii()))
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
    for sample in tasks
        .train
        .iter()
        .filter(|sample| sample.kind == TaskKind::History)
    {
        let user = &sample.messages[1].content;
        assert_eq!(user.matches("<user>").count(), 2, "{user}");
        let rows = user
            .split("<obs> ")
            .nth(1)
            .unwrap()
            .split(" </obs>")
            .next()
            .unwrap();
        let rows: Vec<BTreeMap<String, Value>> = serde_json::from_str(rows).unwrap();
        let call = &calls(&sample.gold)[0];
        let values: Vec<_> = call["parameters"].as_object().unwrap().values().collect();
        assert!(
            rows.iter()
                .any(|row| row.values().any(|value| values.contains(&value))),
            "{user}"
        );
    }
}

#[test]
fn masked_names_tell_nothing() {
    let tasks = generate(1_000, 300);
    let masked = |sample: &&Sample| sample.kind == TaskKind::Masked;
    for sample in tasks.train.iter().chain(&tasks.held_out).filter(masked) {
        for (name, params) in listed(sample) {
            assert!(name.starts_with("func_"), "{name}");
            assert!(
                params.keys().all(|param| param.starts_with("arg_")),
                "{params:?}"
            );
        }
    }
}

#[test]
fn phrases_mean_their_values() {
    let expected = [
        (Slot::Count(1, 30), "a dozen", "12"),
        (Slot::Count(1, 30), "seventeen", "17"),
        (Slot::Time, "half past seven", "\"07:30\""),
        (Slot::Time, "quarter to nine in the evening", "\"20:45\""),
        (Slot::Time, "quarter to one", "\"00:45\""),
        (Slot::Time, "noon", "\"12:00\""),
        (Slot::MonthDay, "the third of May", "\"05-03\""),
        (Slot::MonthDay, "the last day of June", "\"06-30\""),
        (Slot::DayMonth, "the third of May", "\"03/05\""),
        (Slot::Weekday, "the day after Sunday", "\"mon\""),
        (Slot::Weekday, "the day before Monday", "\"sun\""),
        (Slot::Quantity(&numbers::MINUTES), "two hours", "120"),
        (Slot::Quantity(&numbers::MINUTES), "half an hour", "30"),
        (
            Slot::Quantity(&numbers::METRES),
            "a kilometre and a half",
            "1500",
        ),
        (Slot::Quantity(&numbers::DAYS), "a week", "7"),
        (Slot::Amount, "four and a half", "4.5"),
        (Slot::Percent, "three quarters", "75"),
        (Slot::Name(&names::COUNTRIES), "Peru, not India", "\"Peru\""),
        (
            Slot::Name(&names::COUNTRIES),
            "the second of India and Peru",
            "\"Peru\"",
        ),
    ];
    let mut rng = Rng::new(5, &[]);
    for (slot, phrase, value) in expected {
        let mut draw = Draw {
            rng: &mut rng,
            hard: 1.0,
            held_out: false,
        };
        let drawn = (0..200_000)
            .map(|_| slot.draw(&mut draw))
            .find(|drawn| drawn.phrase == phrase);
        assert_eq!(
            drawn.map(|drawn| drawn.value.to_string()).as_deref(),
            Some(value),
            "{phrase}"
        );
    }
}

#[test]
fn names_kept_for_held_out_tasks_are_not_trained_on() {
    let tasks = generate(3_000, 500);
    let has_fresh = |sample: &Sample| {
        names::CITIES
            .fresh
            .iter()
            .any(|city| sample.gold.contains(city))
    };
    assert!(!tasks.train.iter().any(has_fresh));
    assert!(tasks.held_out.iter().any(has_fresh));
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
    let no_mix = Mix {
        one_call: 0,
        several_calls: 0,
        no_call: 0,
        history: 0,
        masked: 0,
    };
    let text = |text: &str| Template::Text(text.to_owned());
    let cases = [
        (
            WorldConfig {
                unseen_share: 1.5,
                ..base()
            },
            "unseen_share",
        ),
        (
            WorldConfig {
                hard_values: f64::NAN,
                ..base()
            },
            "hard_values",
        ),
        (
            WorldConfig {
                min_tools: 1,
                ..base()
            },
            "min_tools",
        ),
        (
            WorldConfig {
                max_tools: 9,
                ..base()
            },
            "max_tools",
        ),
        (
            WorldConfig {
                mix: no_mix,
                ..base()
            },
            "mix",
        ),
        (
            WorldConfig {
                template: text("{% block system %}"),
                ..base()
            },
            "template",
        ),
        (
            WorldConfig {
                template: text("{% block system %}a{% endblock %}"),
                ..base()
            },
            "user",
        ),
        (
            WorldConfig {
                template: Template::File("/none/such.jinja".into()),
                ..base()
            },
            "/none/such.jinja",
        ),
    ];
    for (config, named) in cases {
        let error = World::generate(&config).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn unknown_settings_are_refused() {
    let config: WorldConfig = serde_json::from_str(r#"{"seed": 4, "mix": {"masked": 0}}"#).unwrap();
    assert_eq!(
        (config.seed, config.mix.masked, config.mix.one_call),
        (4, 0, 35)
    );
    for text in [
        r#"{"sead": 4}"#,
        r#"{"mix": {"one": 1}}"#,
        r#"{"template": "none"}"#,
    ] {
        assert!(serde_json::from_str::<WorldConfig>(text).is_err(), "{text}");
    }
}

/// The example of the manual is the first training task of the default settings.
#[test]
fn the_manual_shows_a_real_task() {
    let manual = include_str!("../../../../docs/data.md");
    let task = &generate(1, 0).train[0];
    let parts = [
        &task.messages[0].content,
        &task.messages[1].content,
        &task.gold,
    ];
    for part in parts {
        assert!(
            manual.contains(part.as_str()),
            "docs/data.md lacks:\n{part}"
        );
    }
}

#[test]
fn the_parts_have_their_own_ids() {
    let tasks = generate(2, 2);
    assert_eq!(
        [tasks.train[1].id.as_str(), tasks.held_out[1].id.as_str()],
        ["train:1", "held_out:1"]
    );
    assert_ne!(Part::Train.name(), Part::HeldOut.name());
}
