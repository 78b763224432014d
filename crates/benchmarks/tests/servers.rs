//! Whole runs against servers on this machine: a model, a search and a judge.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;
use std::time::Duration;

use common::{fixture, outcomes};
use serde_json::{Value, json};
use toolrl_bamboogle::DialogueSettings;
use toolrl_benchmarks::{Bamboogle, Benchmark, Bfcl, BfclSettings, Endpoint, ExactMatch, Judge, LocalIndex};
use toolrl_benchmarks::{ModelJudge, RunSettings, Search, SearchService};
use toolrl_bfcl::{Category, Handler, Names, NativeFormat, Sources};
use toolrl_remote::{Client, Retries, Settings};
use toolrl_testing::stub::{Answer, Asked, serve};

fn client(url: &str) -> Client {
    let retries = Retries { first_wait: Duration::from_millis(1), ..Retries::default() };
    Client::new(Settings { retries, ..Settings::new(url) }).unwrap()
}

fn last_message(asked: &Asked) -> &str {
    asked.body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

fn search(query: &str) -> String {
    format!(
        "<think> so </think>\n<tool_call>\n{{\"name\": \"search\", \"parameters\": {{\"query\": \"{query}\"}}}}\n</tool_call>"
    )
}

fn response(answer: &str) -> String {
    format!("<think> so </think>\n<response> {answer} </response>")
}

/// A model that searches step by step and answers from what it found.
fn searching_model(asked: &Asked) -> Answer {
    let said = last_message(asked);
    Answer::chat(&if said.contains("Does the given answer name the same") {
        if said.contains("Given answer: born in 1931") { "<think>hm</think>\nYes." } else { "no" }.to_owned()
    } else if said.contains("Mara Quill") {
        response("mara quill.")
    } else if said.contains("Born in 1931") {
        response("born in 1931")
    } else if said.contains("Tobias Fenn") {
        search("Tobias Fenn")
    } else if said.contains("owl station") {
        search("founder Elm Wood owl station")
    } else {
        search("lighthouse Sule")
    })
}

fn bamboogle(search: Box<dyn Search>, judge: Box<dyn Judge>) -> Bamboogle {
    Bamboogle::load(&fixture("bamboogle"), DialogueSettings::default(), search, judge).unwrap()
}

#[test]
fn bamboogle_runs_whole() {
    let model = serve(searching_model);
    let index = LocalIndex::of_folder(&fixture("documents")).unwrap();
    let queries = index.clone();
    let service = serve(move |asked| {
        assert_eq!((asked.path.as_str(), &asked.body["topk"]), ("/retrieve", &json!(5)));
        let texts: Vec<String> = serde_json::from_value(asked.body["queries"].clone()).unwrap();
        let hit = |hit: &toolrl_bamboogle::Hit| json!({"document": {"contents": format!("\"{}\"\n{}", hit.title, hit.text)}, "score": 1.0});
        let found = queries.search(&texts, 5).unwrap();
        let found: Vec<Vec<Value>> = found.iter().map(|hits| hits.iter().map(hit).collect()).collect();
        Answer::ok(&json!({"result": found}))
    });
    let service = SearchService::new(client(&format!("{service}/retrieve")));
    let judge = ModelJudge::new(client(&model), "judge");
    type Setting = (Box<dyn Search>, Box<dyn Judge>, [&'static str; 2]);
    let cases: [Setting; 3] = [
        (Box::new(index.clone()), Box::new(ExactMatch), ["50.00%", "1.50"]),
        (Box::new(index), Box::new(judge.clone()), ["100.00%", "1.50"]),
        (Box::new(service), Box::new(judge), ["100.00%", "1.50"]),
    ];
    for (search, judge, expected) in cases {
        let bamboogle = bamboogle(search, judge);
        let outcomes = outcomes(&bamboogle, &mut Endpoint::new(client(&model), "m"), &RunSettings::default());
        let scores: Vec<String> = bamboogle.scores(&outcomes).iter().map(|score| score.shown()).collect();
        assert_eq!(scores[..2], expected, "{}: {outcomes:?}", bamboogle.handler());
        assert_eq!(outcomes[1].replies[0].len(), 3);
    }
}

#[test]
fn bamboogle_says_why_there_is_no_answer() {
    let index = || Box::new(LocalIndex::of_folder(&fixture("documents")).unwrap());
    let bamboogle = bamboogle(index(), Box::new(ExactMatch));
    let cases = [
        (search("again"), "out_of_rounds", 4),
        ("hm".into(), "no_answer", 1),
        (response("Kim"), "wrong_answer", 1),
    ];
    for (reply, failure, rounds) in cases {
        let mut script = common::Script::new(|_, _, _: &toolrl_rollout::Opening| {
            Ok(toolrl_rollout::Reply::of_text(&reply))
        });
        let outcomes = outcomes(&bamboogle, &mut script, &RunSettings::default());
        assert_eq!(outcomes[0].failure.as_deref(), Some(failure));
        assert_eq!(outcomes[0].replies[0].len(), rounds);
    }
}

#[test]
fn a_search_that_answers_something_else_stops_the_run() {
    for answer in [json!({}), json!({"result": []}), json!({"result": 3})] {
        let service = serve(move |_| Answer::ok(&answer));
        let error = SearchService::new(client(&service)).search(&["a".into()], 5).unwrap_err().to_string();
        assert!(error.contains("`result`") && error.contains(&service), "{error}");
    }
}

#[test]
fn a_served_model_calls_tools_in_its_own_way() {
    let settings = BfclSettings {
        categories: vec![Category::Simple, Category::MultiTurnLongContext],
        handler: Handler::Native(NativeFormat::Hermes),
        names: Names::Underscored,
        ..BfclSettings::new().unwrap()
    };
    let bfcl = Bfcl::load(&Sources::new(fixture("bfcl_v3")), settings).unwrap();
    let model = serve(|asked| {
        let call = |name: &str, arguments: Value| {
            let function = json!({"name": name, "arguments": arguments.to_string()});
            let message = json!({"content": null, "tool_calls": [{"id": "c1", "type": "function", "function": function}]});
            Answer::ok(&json!({"choices": [{"message": message}], "usage": {"completion_tokens": 9}}))
        };
        let messages = asked.body["messages"].as_array().unwrap();
        let last = messages.last().unwrap();
        match (
            asked.body["tools"][0]["function"]["name"].as_str().unwrap(),
            last["content"].as_str().unwrap(),
        ) {
            ("kitchen_boil", _) => call("kitchen_boil", json!({"litres": 1.5, "tea": "oolong"})),
            (_, text) if text.starts_with("Open") => {
                call("create_ticket", json!({"title": "Broken lamp", "priority": 3}))
            }
            (_, text) if text.starts_with("Close") => call("close_ticket", json!({"ticket_id": 7})),
            _ if last["role"] == "tool" => {
                assert_eq!(last["tool_call_id"], "c1");
                assert_eq!(messages[messages.len() - 2]["tool_calls"][0]["id"], "c1");
                Answer::chat("Done.")
            }
            _ => Answer::chat("I cannot."),
        }
    });
    let outcomes = outcomes(&bfcl, &mut Endpoint::new(client(&model), "m"), &RunSettings::default());
    let right: Vec<(&str, bool)> =
        outcomes.iter().map(|outcome| (outcome.id.as_str(), outcome.right)).collect();
    assert_eq!(right, [("simple_0", true), ("simple_1", false), ("multi_turn_long_context_0", true)]);
    assert_eq!(outcomes[0].tokens, 9);
}

#[test]
fn a_prompt_that_does_not_fit_is_a_failure_of_its_case_alone() {
    let model = serve(|asked| {
        match last_message(asked).contains("garden") || last_message(asked).contains("bed B") {
            true => Answer(400, vec![], "maximum context length is 10 tokens".into()),
            false => Answer::chat("hm"),
        }
    });
    let settings = BfclSettings { categories: vec![Category::Simple], ..BfclSettings::new().unwrap() };
    let bfcl = Bfcl::load(&Sources::new(fixture("bfcl_v3")), settings).unwrap();
    let outcomes = outcomes(&bfcl, &mut Endpoint::new(client(&model), "m"), &RunSettings::default());
    let failures: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.failure.as_deref()).collect();
    assert_eq!(failures, [Some("simple_function_checker:wrong_count"), Some("prompt_too_long")]);
}
