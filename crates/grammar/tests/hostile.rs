//! Any bytes in: no panic, no stack overflow, time linear in the text.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use toolrl_grammar::{Outcome, ReplyKind, Span, json, lenient, parse, pythonic, strict, tags, text};

const KINDS: [ReplyKind; 4] =
    [ReplyKind::ToolCall, ReplyKind::Response, ReplyKind::Both, ReplyKind::Thoughts];

/// Reads the text in every way and checks that every span lies inside it.
fn read_in_every_way(input: &[u8]) {
    let inside = |span: Span| assert!(span.start <= span.end && span.end <= input.len(), "{span}");
    let parsed = parse(input);
    parsed.faults.iter().for_each(|fault| inside(fault.error.span));
    assert_eq!(parsed.outcome == Outcome::Whole, parsed.faults.is_empty(), "{:?}", parsed.outcome);
    for passage in parsed.turn.thoughts.iter().chain(&parsed.turn.response) {
        let span = passage.span.expect("it was read");
        inside(span);
        assert_eq!(span.of(input), passage.as_bytes());
    }
    parsed.turn.calls.iter().for_each(|call| inside(call.span.expect("it was read")));
    if let Some(block) = lenient(input) {
        inside(block.span);
        for line in block.calls.into_iter().flatten() {
            inside(line.span);
            assert!(json::identical_or_equal(&line.value, &line.value.clone()));
        }
    }
    if let Ok(text) = parsed.dialect.write(&parsed.turn) {
        let again = parse(&text);
        assert!(again.faults.is_empty() && strict(&text, parsed.turn.kind()).is_ok(), "{text:?}");
        assert_eq!(parsed.dialect.write(&again.turn).as_ref(), Ok(&text));
    }
    for kind in KINDS {
        match strict(input, kind) {
            Ok(layout) => inside(layout.thoughts.expect("ToolRL's replies have thoughts")),
            Err(error) => inside(error.span),
        }
    }
    assert!(tags::TOOL_CALL.each(input).map(<[u8]>::len).sum::<usize>() <= input.len());
    match pythonic::parse(input) {
        Ok(calls) => calls.iter().for_each(|call| inside(call.span)),
        Err(error) => inside(error.span),
    }
    assert!(text::count_words(text::strip(input)) <= input.len());
}

/// Pieces of which texts near the grammar are made.
const PIECES: [&[u8]; 32] = [
    b"<think>",
    b"</think>",
    b"\n",
    b"<tool_call>",
    b"</tool_call>",
    b"<response>",
    b"</response>",
    b"{\"name\": \"f\", \"parameters\": {\"x\": 1}}",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\ud83d",
    b"\\",
    b"NaN",
    b"-1e9",
    b"\xed\xa0\xbd",
    b"\xff",
    b"\xe2\x80\xa8",
    b" ",
    b"true",
    b"[f(",
    b"g(x=",
    b"(",
    b")",
    b"='",
    b"'",
    b"\"\"\"",
    b"007",
];

proptest! {
    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..300)) {
        read_in_every_way(&input);
        if let Ok(value) = json::parse(&input) {
            prop_assert!(json::parse(&value.to_string()).is_ok());
        }
    }

    #[test]
    fn any_pieces(picks in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let input: Vec<u8> = picks.iter().flat_map(|&i| PIECES[i]).copied().collect();
        read_in_every_way(&input);
        if let Ok(value) = json::parse(&input) {
            let again = value.to_string();
            let again = json::parse(&again).expect("what was written is read");
            // A byte that belongs to no character is written as U+FFFD.
            let is_text = !input.contains(&0xff);
            prop_assert!(!is_text || json::identical_or_equal(&value, &again));
        }
    }
}

/// The time of one reading.
fn time(input: &[u8]) -> Duration {
    let start = Instant::now();
    read_in_every_way(input);
    start.elapsed()
}

/// Makes a hostile text of about so many bytes.
type Make<'a> = Box<dyn Fn(usize) -> Vec<u8> + 'a>;

#[test]
fn a_megabyte_takes_linear_time() {
    let keys = |n: usize| {
        let keys: Vec<String> = (0..n / 12).map(|i| format!("\"{i:07}\":1")).collect();
        format!("<tool_call>{{{}}}</tool_call>", keys.join(",")).into_bytes()
    };
    let block = |inner: &str, n: usize| {
        [b"<tool_call>", inner.repeat(n / inner.len()).as_bytes(), b"</tool_call>"].concat()
    };
    let big = format!("{},", "7".repeat(json::MAX_INTEGER_DIGITS));
    let makers: Vec<(&str, Make<'_>)> = vec![
        ("brackets", Box::new(|n| block("[", n))),
        ("open objects", Box::new(|n| block("{\"a\":", n))),
        ("openings", Box::new(|n| b"<".repeat(n))),
        ("almost tags", Box::new(|n| b"<tool_cal<tool_call".repeat(n / 19))),
        ("tags", Box::new(|n| b"<tool_call></tool_call>".repeat(n / 23))),
        ("almost closings", Box::new(|n| b"</think>\n<tool_call>".repeat(n / 20))),
        ("newlines", Box::new(|n| block("\n", n))),
        ("lines", Box::new(|n| block("{}\n", n))),
        ("spaces", Box::new(|n| b" ".repeat(n))),
        ("backslashes", Box::new(|n| block("\"\\\\", n))),
        ("surrogates", Box::new(|n| [b"<tool_call>\"", "\\ud83d".repeat(n / 6).as_bytes(), b"\""].concat())),
        (
            "big integers",
            Box::new(|n| [b"<tool_call>[", big.repeat(n / big.len()).as_bytes(), b"1]"].concat()),
        ),
        ("keys", Box::new(keys)),
        (
            "one key",
            Box::new(|n| [b"<tool_call>{", "\"a\":1,".repeat(n / 6).as_bytes(), b"\"a\":1}"].concat()),
        ),
        ("open parentheses", Box::new(|n| [b"[f(a=", "(".repeat(n).as_bytes()].concat())),
        ("a name of parentheses", Box::new(|n| [b"[f", "(a".repeat(n / 2).as_bytes()].concat())),
        ("a name of empty arguments", Box::new(|n| [b"[f", "()".repeat(n / 2).as_bytes()].concat())),
        ("a name of numbers", Box::new(|n| [b"[f", "(1 ".repeat(n / 3).as_bytes()].concat())),
        ("calls", Box::new(|n| [b"[", "f(a=1),".repeat(n / 7).as_bytes(), b"]"].concat())),
        ("arguments", Box::new(|n| [b"[f(", "a='b',".repeat(n / 6).as_bytes(), b")]"].concat())),
        ("dictionaries", Box::new(|n| [b"[f(a=", "{1:".repeat(n / 3).as_bytes()].concat())),
        ("triple quotes", Box::new(|n| [b"[f(a=''' ", "''\\'".repeat(n / 4).as_bytes()].concat())),
        ("underscores", Box::new(|n| [b"[f(a=1", "_".repeat(n).as_bytes(), b")]"].concat())),
        ("broken utf-8", Box::new(|n| b"\xe2\x80".repeat(n / 2))),
    ];
    for (name, make) in makers {
        let (small, large) = (make(1 << 16), make(1 << 20));
        let small = time(&small).max(Duration::from_millis(1));
        // The least of three: what else the machine does only adds to one.
        let large = (0..3).map(|_| time(&large)).min().unwrap_or_default();
        // Sixteen times the text; a quadratic reading would take 256 times as long.
        assert!(large < small * 100, "{name}: {small:?} for 64 KiB, {large:?} for 1 MiB");
    }
}
