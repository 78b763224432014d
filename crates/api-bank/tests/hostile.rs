//! Hostile replies have scores, and soon.

use std::time::{Duration, Instant};

use toolrl_api_bank::{Call, Reply, Score, rows, score};
use toolrl_grammar::json;

/// What one reply may take, in an optimised build on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

fn block(lines: &str) -> Vec<u8> {
    format!("<think> a </think>\n<tool_call>\n{lines}\n</tool_call>").into_bytes()
}

fn replies() -> Vec<(&'static str, Vec<u8>)> {
    let call = r#"{"name": "f", "parameters": {"a": 1}}"#;
    vec![
        ("ten megabytes of calls", block(&format!("{}5", format!("{call}\n").repeat(10 << 20 >> 6)))),
        ("ten megabytes of words", block(&"word ".repeat(2 << 20))),
        ("brackets", block(&"[".repeat(100_000))),
        ("pairs of brackets", block(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))),
        ("objects", block(&format!("{}1{}", "{\"a\": ".repeat(100_000), "}".repeat(100_000)))),
        ("one character", vec![b'<'; 1 << 20]),
        ("openings", b"<tool_call>".repeat(100_000)),
        ("closings", b"</tool_call>".repeat(100_000)),
        ("NUL bytes", vec![0; 1 << 20]),
        ("no UTF-8", vec![0xff; 1 << 20]),
        ("lone surrogates", block(&"\"\\ud800\"\n".repeat(100_000))),
        ("raw surrogates", [b"<tool_call>\"".as_slice(), &b"\xed\xa0\x80".repeat(100_000), b"\""].concat()),
        ("quoted calls", block(&"\"\\\"name parameters\\\"\"\n".repeat(50_000))),
        ("quotes in quotes", (0..12).fold("x".to_string(), |inner, _| format!("{inner:?}")).into_bytes()),
        ("thoughts", b"</think><think>".repeat(200_000)),
        ("lines of objects", b"{\"a\": 1}\n".repeat(200_000)),
        ("bare brackets", b"[".repeat(200_000)),
        (
            "nesting outside a call",
            format!("{}{}", "{\"a\": [".repeat(200_000), "]}".repeat(200_000)).into_bytes(),
        ),
    ]
}

#[test]
fn hostile_replies_are_scored() {
    let right = json::parse(r#"{"name": "f", "parameters": {"a": 2}}"#).expect("JSON");
    let right = Call::of(right).expect("a call");
    for (name, reply) in replies() {
        let start = Instant::now();
        assert_eq!(score(&reply, &right), Score::Wrong, "{name}");
        assert!(Reply::parse(&reply).thought.len() <= reply.len());
        assert!(rows::Row::parse(&reply).is_err(), "{name}");
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    }
}
