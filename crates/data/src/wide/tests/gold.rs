//! The gold turn is the right one.

use serde_json::{Value, json};
use toolrl_grammar::json::Unicode;

use super::*;
use super::{drawn, reader};
use crate::TaskKind;

/// Calls are valid by their tools' schemas, which allow nothing else here, and each stated value is what its words mean.
#[test]
fn calls_are_valid_and_say_what_the_request_says() {
    let mut read = 0;
    for (kind, _, today, task) in drawn(6_000) {
        assert_eq!(task.gold.calls.is_empty(), matches!(kind, TaskKind::NoCall | TaskKind::AskBack));
        assert_eq!(task.gold.response.is_some(), task.gold.calls.is_empty());
        for call in &task.gold.calls {
            let tool = task.tools.iter().find(|tool| tool.name == call.name.lossy()).unwrap();
            let mut schema = tool.schema()["function"]["parameters"].clone();
            schema["additionalProperties"] = false.into();
            let arguments: Vec<_> = call
                .arguments
                .iter()
                .map(|(name, value)| (name.lossy().into_owned(), Unicode(value).to_string()))
                .collect();
            let mut object = json!({});
            for (name, text) in &arguments {
                object[name.as_str()] = serde_json::from_str::<Value>(text).unwrap();
            }
            let errors: Vec<_> = jsonschema::validator_for(&schema)
                .unwrap()
                .iter_errors(&object)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}: {object} of {schema}");
            for param in &tool.params {
                let given = object.get(param.name.as_str());
                assert!(given.is_some() || !param.required, "{} lacks {}", tool.name, param.name);
                assert!(
                    param.default.is_none() || given != param.default.as_ref(),
                    "{}: a default",
                    tool.name
                );
            }
        }
        let said: Vec<_> =
            task.messages.iter().filter(|m| m.role == "user").map(|m| m.content.as_str()).collect();
        let tells_today = task
            .messages
            .iter()
            .any(|m| m.content.contains(&today.in_full()) || m.content.contains(&reader::iso(today)));
        for asked in &task.asked {
            for (param, value) in asked.stated() {
                assert!(said.iter().any(|said| said.contains(&value.bare)), "{} in {said:?}", value.bare);
                assert!(!value.relative || tells_today, "{}: no day is told: {said:?}", value.bare);
                let meant = reader::value(&param.of, &value.bare, today);
                assert_eq!(meant.as_ref(), Some(&value.value), "{:?}: {}", param.of, value.bare);
                read += 1;
            }
        }
    }
    assert!(read > 8_000, "{read}");
}

/// Among the listed tools, none but the called ones has their names' words or description, and for what no tool does there
/// is none with the words of such a tool.
#[test]
fn no_other_tool_could_be_meant() {
    for (kind, _, _, task) in drawn(6_000) {
        let called: Vec<_> = task.gold.calls.iter().map(|call| call.name.lossy().into_owned()).collect();
        for tool in task.tools.iter().filter(|tool| !called.contains(&tool.name)) {
            let meant = task.tools.iter().filter(|other| called.contains(&other.name));
            for other in meant {
                assert_ne!(tool.description, other.description, "{kind}");
                let same =
                    tool.deed.is_of_thing(&other.deed) && tool.deed.frame.sense == other.deed.frame.sense;
                assert!(!same || tool.key != other.key, "{} beside {}", tool.name, other.name);
                assert!(!same || tool.tells_key && other.tells_key, "{} beside {}", tool.name, other.name);
            }
            if let Some(absent) = task.absent {
                let does = absent.frame.tell.iter().map(|tell| absent.worded(tell).to_lowercase());
                let description = tool.description.to_lowercase();
                let verb = |tell: &str| tell.split(' ').next().unwrap_or_default().to_owned();
                for tell in does {
                    let rest = tell.trim_start_matches(&verb(&tell)).to_owned();
                    let is_same = description.contains(&tell)
                        || description.contains(&rest) && description.starts_with(&verb(&tell));
                    assert!(!is_same, "{}: {tell}", tool.description);
                }
            }
        }
        if kind == TaskKind::AskBack {
            let asked = &task.asked[0];
            let looks =
                task.tools.iter().filter(|tool| tool.name != asked.tool.name && tool.deed.frame.looks);
            assert!(
                looks.into_iter().all(|tool| !tool.deed.is_of_thing(&asked.tool.deed)),
                "{}",
                asked.tool.name
            );
        }
    }
}

/// The last check is there for what slips through; what makes tasks seldom needs it.
#[test]
fn few_draws_are_refused() {
    let config = WideConfig::default();
    let world = WideWorld::new(&config).unwrap();
    let names = [&world.seen.words.names, &world.unseen.words.names];
    let refused = (0..4_000).filter(|index| {
        let mut rng = Rng::new(9, &[*index]);
        let kind = kind_of(&config.mix.weights(), &mut rng);
        let today = Day::draw(&mut rng);
        let mut draw = Draw { rng: &mut rng, hard: 0.5, made_up: 0.0, today, names };
        let shelf = if index % 2 == 0 { &world.seen } else { &world.unseen };
        let task = Maker { shelf, thoughts: Thoughts::None }.task(kind, &mut draw);
        task.is_some_and(|task| !task.is_sound())
    });
    let refused = refused.count();
    assert!(refused < 80, "{refused}");
}

#[test]
fn parameters_of_a_tool_differ_in_name_and_description() {
    for (_, _, _, task) in drawn(3_000) {
        for tool in &task.tools {
            for (index, param) in tool.params.iter().enumerate() {
                let other = &tool.params[..index];
                assert!(other.iter().all(|other| other.name != param.name), "{}: {}", tool.name, param.name);
                let about = |one: &crate::wide::param::Param| (one.about.clone(), one.of.form());
                assert!(
                    other.iter().all(|other| about(other) != about(param)),
                    "{}: {}",
                    tool.name,
                    param.about
                );
            }
        }
    }
}
