//! The dialects of models that others have trained: what their texts mean, cut off, broken, of another, and what is
//! written of a turn.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fmt::Write as _;

use proptest::prelude::*;
use toolrl_grammar::json::{self, PyStr, Value};
use toolrl_grammar::{
    Call, DIALECTS, Dialect, Outcome, ParameterTypes, Parsed, ReplyKind, Span, ToolRl, Turn, dialect,
};

/// Every dialect but ToolRL's, whose tests are its own.
fn natives() -> impl Iterator<Item = &'static dyn Dialect> {
    DIALECTS.into_iter().filter(|dialect| dialect.name() != ToolRl.name())
}

fn call(name: &str, arguments: &str) -> Call<'static> {
    let arguments = json::parse(arguments).unwrap().into_owned();
    Call::new(PyStr::from(name.to_owned()), arguments.as_object().cloned().unwrap())
}

fn turn(thoughts: Option<&str>, calls: Vec<Call<'static>>, response: Option<&str>) -> Turn<'static> {
    let passage = |text: Option<&str>| text.map(|text| text.to_owned().into());
    Turn { thoughts: passage(thoughts), calls, response: passage(response) }
}

/// A turn in short: its calls as JSON, then its words.
fn short(turn: &Turn<'_>) -> String {
    let mut text = String::new();
    for call in &turn.calls {
        write!(text, "{}{} ", call.name.lossy(), json::Entries(&call.arguments)).unwrap();
    }
    text + &turn.response.as_ref().map(|words| words.text.lossy().into_owned()).unwrap_or_default()
}

#[test]
fn texts_mean_turns() {
    let cases = [
        (
            "hermes",
            "So:\n<tool_call>{\"arguments\": {\"a\": \"</tool_call>\"}, \"name\": \"f\"}</tool_call>",
            "f{\"a\": \"</tool_call>\"} So:",
        ),
        ("hermes", "<think>no <tool_call></think> yes<|im_end|>", "yes"),
        ("hermes", "opened by the template </think>\n\nyes", "yes"),
        (
            "llama3_json",
            "{\"name\": \"f\", \"parameters\": {}}; {\"type\": \"function\", \"name\": \"g\", \"arguments\": {\"a\": -1}}<|eot_id|>",
            "f{} g{\"a\": -1} ",
        ),
        (
            "llama3_json",
            "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": {\"b\": [1]}}}<|eom_id|>",
            "f{\"a\": {\"b\": [1]}} ",
        ),
        (
            "llama3_json",
            "Write {\"name\": \"f\", \"parameters\": {}} then.",
            "Write {\"name\": \"f\", \"parameters\": {}} then.",
        ),
        (
            "pythonic",
            "[f(a=-1, b=[[1], {'c': (2,)}]), Market Trends API(x='it\\'s')]",
            "f{\"a\": -1, \"b\": [[1], {\"c\": [2]}]} Market Trends API{\"x\": \"it's\"} ",
        ),
        ("pythonic", "[1] says so", "[1] says so"),
        (
            "mistral",
            "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": \"]\"}, \"id\": \"abcdefgh1\"}]</s>",
            "f{\"a\": \"]\"} ",
        ),
        (
            "mistral_v11",
            "[THINK]a[/THINK]b[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[CALL_ID]abcdefgh1[ARGS]{}",
            "f{\"a\": 1} g{} b",
        ),
        (
            "qwen3_coder",
            "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>x</parameter>\n</function>\n</tool_call>",
            "f{\"a\": \"1\", \"b\": \"x\"} ",
        ),
        (
            "deepseek_v3",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\n  \"a\": 1\n}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
            "f{\"a\": 1} ",
        ),
        (
            "deepseek_v31",
            "x<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "f{\"a\": 1} x",
        ),
        (
            "glm45",
            "<think></think>\n<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>[1]</arg_value>\n</tool_call>\n<tool_call>g\n</tool_call><|observation|>",
            "f{\"a\": \"[1]\"} g{} ",
        ),
        (
            "kimi_k2",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:3<|tool_call_argument_begin|>{\"a\": 1}<|tool_call_end|><|tool_calls_section_end|>",
            "f{\"a\": 1} ",
        ),
        (
            "harmony",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": 1}<|call|>",
            "f{\"a\": 1} ",
        ),
        (
            "harmony",
            "<|start|>assistant to=functions.f<|channel|>commentary json<|message|>{}<|call|>",
            "f{} ",
        ),
        ("harmony", "<|channel|>final<|message|>yes<|return|>", "yes"),
        (
            "xlam",
            "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {\"a\": null}}]",
            "f{} g{\"a\": null} ",
        ),
        ("granite", "<tool_call> [{\"name\": \"f\", \"arguments\": {}}]", "f{} "),
        (
            "phi4_mini",
            "I look.\nfunctools[{\"name\": \"f\", \"arguments\": {\"a\": [1, 2]}}]<|end|>",
            "f{\"a\": [1, 2]} I look.",
        ),
        ("phi4_mini", "this is fun", "this is fun"),
        (
            "function_gemma",
            "<start_function_call>call:f{a:<escape>x, }<escape>,b:[1,{c:null}],d:-2.5}<end_function_call>",
            "f{\"a\": \"x, }\", \"b\": [1, {\"c\": null}], \"d\": -2.5} ",
        ),
        (
            "lfm2",
            "<|tool_call_start|>[f(a=\"x\")]<|tool_call_end|>I look it up.<|im_end|>",
            "f{\"a\": \"x\"} I look it up.",
        ),
    ];
    for (name, text, expected) in cases {
        let parsed = dialect::named(name).unwrap().parse(text.as_bytes());
        assert_eq!((parsed.outcome, &*short(&parsed.turn)), (Outcome::Whole, expected), "{name}: {text}");
        let strict = parsed.dialect.strict(parsed.text, parsed.turn.kind()).expect("a whole reply");
        assert_eq!(strict.tool_calls.is_some(), !parsed.turn.calls.is_empty());
        assert!(parsed.dialect.strict(parsed.text, ReplyKind::Thoughts).is_err());
    }
}

#[test]
fn broken_texts_say_where_and_keep_what_was_whole() {
    let cases = [
        ("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> and", 54, "f{} "),
        (
            "hermes",
            "<tool_call>{\"name\": \"f\", \"arguments\": {}} x <tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>",
            42,
            "f{} g{} ",
        ),
        ("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": \"{}\"}</tool_call>", 11, ""),
        ("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 01}}</tool_call>", 45, ""),
        ("hermes", "<tool_call><|im_end|>", 11, ""),
        ("llama3_json", "{\"answer\": 5}", 0, ""),
        ("xlam", "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\"}]", 33, "f{} "),
        ("pythonic", "[f(a=1), g(2)]", 9, "f{\"a\": 1} "),
        ("mistral", "[TOOL_CALLS]f[ARGS]{}", 12, ""),
        ("mistral_v11", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}]", 12, ""),
        ("mistral_v11", "[TOOL_CALLS]f{\"a\": 1}", 12, "f{\"a\": 1} "),
        ("qwen3_coder", "<function=f>\n</function>\n</tool_call>", 0, "f{} "),
        ("qwen3_coder", "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", 12, ""),
        ("kimi_k2", "<|tool_calls_section_begin|><|tool_call_begin|>f<|tool_call_argument_begin|>{}", 47, ""),
        (
            "harmony",
            "<|channel|>other<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>y",
            0,
            "y",
        ),
        ("function_gemma", "<start_function_call>call:f{a:\"x\"}<end_function_call>", 30, ""),
    ];
    for (name, text, at, kept) in cases {
        let parsed = dialect::named(name).unwrap().parse(text.as_bytes());
        let found = (parsed.outcome, &*short(&parsed.turn));
        assert_eq!(found, (Outcome::Malformed { at }, kept), "{name}: {text}: {:?}", parsed.faults);
        assert!(parsed.dialect.strict(parsed.text, parsed.turn.kind()).is_err());
    }
}

#[test]
fn another_dialects_mark_is_foreign_where_a_reply_begins_with_it() {
    let calls = [call("f", "{\"a\": 1}")];
    let said = turn(Some("hm"), calls.to_vec(), None);
    for writer in DIALECTS {
        let text = writer.write(&said).unwrap();
        for reader in natives().filter(|reader| reader.name() != writer.name()) {
            let parsed = reader.parse(text.as_bytes());
            let shared = writer.marks().iter().any(|mark| reader.marks().contains(mark));
            let bare = writer.marks().iter().all(|mark| !text.contains(mark));
            assert!(shared || bare || parsed.outcome == Outcome::Foreign || parsed.turn.calls.is_empty());
            let reads = parsed.outcome == Outcome::Whole && !parsed.turn.calls.is_empty();
            assert!(!reads, "{} reads {text}", reader.name());
        }
    }
    for (name, text) in [("hermes", "[TOOL_CALLS]f[ARGS]{}"), ("mistral", "<tool_call>"), ("harmony", "Yes.")]
    {
        assert_eq!(dialect::named(name).unwrap().parse(text.as_bytes()).outcome, Outcome::Foreign);
    }
}

#[test]
fn a_text_that_is_cut_at_any_byte_is_cut_off() {
    let calls = || {
        vec![
            call("f", r#"{"a": "é\n\"", "b": [-1.5e-7, {"k y": true, "l": {}}], "n": null}"#),
            call("g_2", "{}"),
        ]
    };
    let turns = [
        turn(None, calls(), None),
        turn(Some("hm"), calls(), None),
        turn(Some("ü"), calls(), Some("I look.")),
    ];
    for dialect in natives() {
        for turn in &turns {
            // A bare list cannot follow words.
            let Ok(text) = dialect.write(turn) else {
                assert!(dialect.name() == "xlam" && turn.response.is_some());
                continue;
            };
            for end in 0..text.len() {
                let parsed = dialect.parse(&text.as_bytes()[..end]);
                let whole = parsed.outcome == Outcome::Whole && parsed.turn.calls.len() <= turn.calls.len();
                let so = whole || parsed.outcome == Outcome::Incomplete;
                assert!(
                    so,
                    "{}: {:?}: {:?}",
                    dialect.name(),
                    &text.as_bytes()[..end].escape_ascii().to_string(),
                    parsed.faults
                );
                // What may be whole has no beginning of a call in it.
                let calls = parsed.turn.calls.iter().zip(&turn.calls);
                assert!(calls.into_iter().all(|(a, b)| a.name == b.name), "{}", dialect.name());
                let words = parsed.turn.response.map(|words| words.text.lossy().into_owned());
                assert!(
                    words.is_none_or(|words| "I look.".starts_with(&words)),
                    "{}: {text}",
                    dialect.name()
                );
            }
        }
    }
}

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
