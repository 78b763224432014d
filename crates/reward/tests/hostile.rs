//! Hostile replies and references have scores that add up, and soon.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use toolrl_grammar::{json, parse};
use toolrl_reward::rows::{Row, scored};
use toolrl_reward::{Context, Reference, Registry, Rubric, RubricConfig, TermConfig, explain, parts};

/// What one reply may take, in an optimised build on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every term there is.
fn rubric() -> Rubric {
    let registry = Registry::builtin();
    let terms = registry.ids().map(TermConfig::new).collect();
    Rubric::from_config(&RubricConfig { terms }, &registry).expect("a rubric")
}

/// Scores a reply against a reference, where that is one, and holds the breakdown against the total.
fn score(reply: &[u8], gold: &[u8]) {
    let tools = [serde_json::json!({"name": "f", "parameters": {"properties": {"x": {"type": "integer"}}}})];
    let Ok(reference) = Reference::parse(gold).map(|reference| reference.with_tools(&tools)) else { return };
    let (rubric, context, parsed) = (rubric(), Context::evaluation(), parse(reply));
    let score = rubric.score(&parsed, &reference, &context).expect("no term stops");
    let (least, most) = rubric.range(&context);
    assert!((least..=most).contains(&score.total), "{}", score.total);
    let sum: f64 = score.terms.iter().map(|term| term.weight * term.score.value).sum();
    assert!((sum - score.total).abs() < 1e-9, "{sum} is not {}", score.total);
    let sum: f64 = parts(&parsed, &reference, &score).iter().map(|part| part.reward).sum();
    assert!((sum - score.total).abs() < 1e-6, "the parts add up to {sum}, not to {}", score.total);
    assert_eq!(score.failures().count(), 0, "{:?}", score.terms);
    assert!(!explain(&parsed, &reference, &score).is_empty());
}

fn block(lines: &str) -> Vec<u8> {
    format!("<think> a </think>\n<tool_call>\n{}\n</tool_call>", lines.trim_end()).into_bytes()
}

#[test]
fn hostile_replies_are_scored() {
    let call = "{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": [1, 2]}}\n";
    let keys: Vec<String> = (0..100_000).map(|key| format!("\"k{key}\": 1")).collect();
    let texts = [
        ("ten megabytes of words", block(&"word ".repeat(2 << 20))),
        ("a thousand calls", block(&call.repeat(1_000))),
        ("many keys", block(&format!("{{\"name\": \"f\", \"parameters\": {{{}}}}}", keys.join(", ")))),
        ("brackets", block(&"[".repeat(100_000))),
        ("pairs of brackets", block(&format!("{}{}", "[".repeat(900), "]".repeat(900)))),
        ("one character", vec![b'<'; 1 << 20]),
        ("NUL bytes", vec![0; 1 << 20]),
        ("no UTF-8", vec![0xff; 1 << 20]),
        ("lone surrogates", block(&format!("\"{}\"", "\\ud800".repeat(100_000)))),
    ];
    for (name, text) in &texts {
        let start = Instant::now();
        score(text, call.as_bytes());
        score(text, &block(call));
        score(&block(call), text);
        score(text, text);
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    }
}

/// Pieces of which texts near a reply are made.
const PIECES: [&str; 20] = [
    "<think>",
    "</think>",
    "\n",
    "<tool_call>",
    "</tool_call>",
    "<response>",
    "</response>",
    " ",
    r#"{"name": "f", "parameters": {"x": 1}}"#,
    r#"{"name": "g", "parameters": {"x": [1, 2.0], "y": null}}"#,
    r#"{"name": "f"}"#,
    r#"{"parameters": 3}"#,
    "{",
    "}",
    "[",
    "]",
    "NaN",
    "\"\\ud800\"",
    "<|im_end|>",
    "a",
];

fn text() -> impl Strategy<Value = String> {
    let pieces =
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..14).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => any::<String>()]
}

proptest! {
    #[test]
    fn any_row_has_a_score_that_adds_up(reply in text(), gold in text(), step in any::<i64>(), flag: bool) {
        score(reply.as_bytes(), gold.as_bytes());
        let text = |text: &str| json::Value::str(text.to_owned());
        let line = format!(
            "{{\"solution_str\": {}, \"ground_truth\": {}, \"step\": {step}, \"variant\": {{\"COARSEREWARD\": \"{}\"}}}}",
            text(&reply), text(&gold), u8::from(flag),
        );
        match Row::parse(&line) {
            Ok(row) => {
                let answer = scored(&row).to_string();
                prop_assert!(json::parse(&answer).is_ok());
                prop_assert_eq!(row.score().is_ok(), row.explain().is_ok());
            }
            Err(error) => prop_assert!(step < 0, "{}", error),
        }
    }

    #[test]
    fn any_line_is_a_row_or_an_error(line in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(row) = Row::parse(&line) {
            scored(&row);
        }
    }
}
