//! Replies with the answers of vLLM 0.32.0's parsers, which `tests/python/vllm_parsers.py --sample` wrote: ours stay
//! what they were when the two were compared.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use toolrl_grammar::json::{self, Value};
use toolrl_grammar::{Outcome, ParameterTypes, dialect};

/// A dialect, the verdict, a text, tools where values have no types, our outcome and calls, vLLM's calls.
const ROWS: &str = include_str!("vllm/rows.jsonl");

/// Names with arguments as JSON.
fn calls<'a>(row: &'a Value<'_>, key: &str) -> Vec<(&'a [u8], Option<Value<'a>>)> {
    let Some(Value::List(calls)) = row.get(key) else { panic!("{key}") };
    let call = |call: &'a Value<'_>| {
        let Value::List(parts) = call else { panic!("{call}") };
        (parts[0].as_bytes().unwrap(), json::parse(parts[1].as_bytes().unwrap()).ok())
    };
    calls.iter().map(call).collect()
}

#[test]
fn replies_read_as_by_vllm_or_as_the_reason_says() {
    let (mut equal, mut others) = (0, 0);
    for line in ROWS.lines() {
        let row = json::parse(line).unwrap();
        let text =
            |key: &str| String::from_utf8_lossy(row.get(key).unwrap().as_bytes().unwrap()).into_owned();
        let (name, reply) = (text("dialect"), text("text"));
        let dialect = dialect::named(&name).unwrap();
        let types = row.get("tools").map(ParameterTypes::of).unwrap_or_default();
        let parsed = dialect.parse(reply.as_bytes());
        let outcome = match parsed.outcome {
            Outcome::Whole => "whole",
            Outcome::Incomplete => "incomplete",
            Outcome::Malformed { .. } => "malformed",
            Outcome::Foreign => "foreign",
        };
        assert_eq!(outcome, text("outcome"), "{name}: {reply}");
        let turn = dialect.typed(parsed.turn, &types);
        let is = |expected: Vec<(&[u8], Option<Value<'_>>)>| {
            let same = |(name, arguments): &(&[u8], Option<Value<'_>>), call: &toolrl_grammar::Call<'_>| {
                let read = Value::Object(call.arguments.clone());
                *name == call.name.as_bytes()
                    && arguments.as_ref().is_some_and(|a| a.to_string() == read.to_string())
            };
            expected.len() == turn.calls.len() && expected.iter().zip(&turn.calls).all(|(a, b)| same(a, b))
        };
        assert!(is(calls(&row, "calls")), "{name}: {reply}: {:?}", turn.calls);
        let is_equal = text("verdict") == "equal";
        // Words alone may differ, and numbers by their form.
        let differs_in_words = ["words", "numbers"].contains(&&*text("verdict"));
        assert!(is(calls(&row, "vllm")) == is_equal || differs_in_words, "{name}: {reply}");
        if is_equal { equal += 1 } else { others += 1 }
    }
    assert!(equal > 100 && others > 20, "{equal} {others}");
}
