//! Rows and rewards whose figures can be worked out by hand.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by several tests, each of which uses a part")]

use serde_json::json;
use toolrl_grammar::Parsed;
use toolrl_reward::{Context, FnTerm, Reference, Rubric, Term};
use toolrl_workbench::{Reward, Row};

pub const CALL: &str =
    "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": 2}}\n</tool_call>";
pub const ANSWER: &str = "<think> a </think>\n<response> b </response>";

/// A row of the released form.
pub fn row(number: usize, reply: &str, gold: &str) -> Row {
    let line = json!({"solution_str": reply, "ground_truth": gold}).to_string();
    Row::parse(line.as_bytes(), number, None).unwrap()
}

/// Rows of a training run: group and reply.
pub fn rows(replies: &[(&str, &str)]) -> Vec<Row> {
    let parse = |(number, (group, reply)): (usize, &(&str, &str))| {
        let line = json!({"completion": reply, "gold": ANSWER, "group": group}).to_string();
        Row::parse(line.as_bytes(), number + 1, None).unwrap()
    };
    replies.iter().enumerate().map(parse).collect()
}

/// The value of the reply's word at `place`, as a term.
pub fn word(id: &str, place: usize, range: (f64, f64)) -> Box<dyn Term> {
    Box::new(FnTerm::new(id, range, move |parsed: &Parsed<'_>, _: &Reference, _: &Context| {
        let text = String::from_utf8_lossy(parsed.text).into_owned();
        text.split_whitespace().nth(place).and_then(|word| word.parse::<f64>().ok()).unwrap_or(f64::NAN)
    }))
}

/// The reply's words, weighted.
pub fn words(weights: &[f64]) -> Reward {
    let term = |(place, weight): (usize, &f64)| (*weight, word(&format!("t{place}"), place, (-10.0, 10.0)));
    Reward::fixed("words", Rubric::new(weights.iter().enumerate().map(term).collect()).unwrap(), 100)
}
