//! Random turns, bytes, pieces and damage.

use proptest::prelude::*;
use toolrl_grammar::json::{self, PyStr, Value};
use toolrl_grammar::{Call, Outcome, ParameterTypes, Parsed, Span, Turn, dialect};

use crate::{call, natives, turn};

/// JSON values as models write them, and odd ones.
fn values() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z ]{0,6}",
        "\\PC{0,8}",
        "[\\]\\[{}<>|/'\",;:=\n\t\\\\-]{0,6}",
        prop::sample::select(vec![
            "</tool_call>",
            "[TOOL_CALLS]",
            "5",
            "null",
            "<escape>",
            "</parameter>",
            "<|call|>"
        ])
        .prop_map(String::from),
    ];
    let string = text.prop_map(|text| Value::str(text).to_string());
    let number =
        prop_oneof![any::<i64>().prop_map(|n| n.to_string()), (-1e9..1e9_f64).prop_map(json::float_repr)];
    let leaf = prop_oneof![
        string,
        number,
        prop::sample::select(vec!["true", "false", "null", "[]", "{}"]).prop_map(String::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z_]{1,4}", inner), 0..3).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

fn turns() -> impl Strategy<Value = Turn<'static>> {
    let call = ("[a-z][a-z_0-9.]{0,8}", prop::collection::vec(("[a-z_]{1,5}", values()), 0..4)).prop_map(
        |(name, entries)| {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            call(&name, &format!("{{{}}}", entries.join(",")))
        },
    );
    let words = || prop::option::of("\\PC{0,12}|[a-z <]{1,9}");
    (words(), prop::collection::vec(call, 0..3), words())
        .prop_map(|(thoughts, calls, words)| turn(thoughts.as_deref(), calls, words.as_deref()))
}

/// Tools whose parameters have the types of a turn's arguments.
fn types_of(turn: &Turn<'_>) -> ParameterTypes {
    let tool = |call: &Call<'_>| {
        let parameter = |(key, value): (&PyStr<'_>, &Value<'_>)| {
            let name = match value {
                Value::Float(_) => "number",
                Value::List(_) => "array",
                other => other.type_name(),
            };
            format!("{}: {{\"type\": {name:?}}}", Value::Str(key.clone()))
        };
        let parameters: Vec<_> = call.arguments.iter().map(parameter).collect();
        let name = Value::Str(call.name.clone());
        format!("{{\"name\": {name}, \"parameters\": {{\"properties\": {{{}}}}}}}", parameters.join(", "))
    };
    let tools: Vec<_> = turn.calls.iter().map(tool).collect();
    ParameterTypes::of(&json::parse(&format!("[{}]", tools.join(", "))).unwrap())
}

/// Panics unless what was read of a text lies in it and says what is wrong.
fn holds_together(parsed: &Parsed<'_>) {
    let inside = |span: Span| assert!(span.start <= span.end && span.end <= parsed.text.len(), "{span}");
    parsed.faults.iter().for_each(|fault| inside(fault.error.span));
    assert_eq!(parsed.outcome == Outcome::Whole, parsed.faults.is_empty(), "{:?}", parsed.outcome);
    for passage in parsed.turn.thoughts.iter().chain(&parsed.turn.response) {
        assert_eq!(passage.span.expect("it was read").of(parsed.text), passage.as_bytes());
    }
    parsed.turn.calls.iter().for_each(|call| inside(call.span.expect("it was read")));
    if let Ok(text) = parsed.dialect.write(&parsed.turn) {
        let again = parsed.dialect.parse(text.as_bytes());
        assert_eq!(again.outcome, Outcome::Whole, "{text:?}");
        assert!(parsed.dialect.strict(text.as_bytes(), parsed.turn.kind()).is_ok(), "{text:?}");
    }
}

/// Pieces of which texts near the dialects are made.
const PIECES: [&str; 48] = [
    "<think>",
    "</think>",
    "\n",
    " ",
    "<tool_call>",
    "</tool_call>",
    "{\"name\": \"f\", \"arguments\": {\"x\": 1}}",
    "{\"name\": \"f\", \"parameters\": {}}",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "\"",
    "'",
    "\\",
    ":",
    "=",
    "(",
    ")",
    "f(a=1)",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "[ARGS]",
    "[CALL_ID]",
    "[THINK]",
    "<function=f>",
    "</function>",
    "<parameter=a>",
    "</parameter>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "```json\n",
    "\n```",
    "<arg_key>a</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>",
    "<|channel|>",
    "<|message|>",
    "<|start|>assistant",
    "<start_function_call>call:f",
    "<escape>",
];

proptest! {
    #[test]
    fn a_turn_that_is_written_reads_as_itself(turn in turns()) {
        let types = types_of(&turn);
        for dialect in natives() {
            let Ok(text) = dialect.write(&turn) else { continue };
            let parsed = dialect.parse(text.as_bytes());
            holds_together(&parsed);
            let again = dialect.typed(parsed.turn, &types);
            prop_assert_eq!(again.calls.len(), turn.calls.len());
            for (a, b) in again.calls.iter().zip(&turn.calls) {
                let unique = turn.calls.iter().filter(|call| call.name == b.name).count() == 1;
                let is_same = a.name == b.name && (json::same_entries(&a.arguments, &b.arguments) || !unique);
                prop_assert!(is_same, "{}: {}: {:?}", dialect.name(), text, again);
            }
            prop_assert!(dialect::writes(dialect, &text, &turn));
        }
    }

    #[test]
    fn calls_of_plain_values_can_be_said(n in any::<i64>(), text in "[a-zé ]{0,9}", words in "[A-Za-z][a-zé ,.]{0,9}[.]") {
        let arguments = format!("{{\"n\": {n}, \"t\": {}, \"l\": [{n}, {{\"k\": null}}]}}", Value::str(text));
        let turn = turn(Some("hm"), vec![call("f", &arguments), call("g", "{}")], None);
        let said = Turn { response: Some(words.clone().into()), calls: Vec::new(), ..turn.clone() };
        for dialect in natives() {
            prop_assert!(dialect.write(&turn).is_ok(), "{}", dialect.name());
            prop_assert!(dialect.write(&said).is_ok(), "{}: {}", dialect.name(), words);
        }
    }

    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..200)) {
        natives().for_each(|dialect| holds_together(&dialect.parse(&input)));
    }

    #[test]
    fn any_pieces(picks in prop::collection::vec(0..PIECES.len(), 0..30)) {
        let input: String = picks.iter().map(|&i| PIECES[i]).collect();
        natives().for_each(|dialect| holds_together(&dialect.parse(input.as_bytes())));
    }

    #[test]
    fn any_damage(turn in turns(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for dialect in natives() {
            let Ok(text) = dialect.write(&turn) else { continue };
            let mut bytes = text.into_bytes();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                holds_together(&dialect.parse(&bytes));
                bytes.remove(at);
                holds_together(&dialect.parse(&bytes));
            }
        }
    }
}
