//! The dialects of models that others have trained: what their texts mean, cut off, broken, of another, and what is
//! written of a turn.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod random;

use std::fmt::Write as _;

use toolrl_grammar::json::{self, PyStr};
use toolrl_grammar::{Call, DIALECTS, Dialect, Outcome, ReplyKind, ToolRl, Turn, dialect};

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
