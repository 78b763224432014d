//! The grammar: replies, JSON as Python reads it, calls as Python writes them.

use toolrl_bfcl::python;
use toolrl_grammar::json::{self, Value};
use toolrl_grammar::{
    Outcome, ReplyKind, Span, SyntaxError, SyntaxErrorKind, lenient, parse, pythonic as calls, strict,
};

const KINDS: [ReplyKind; 4] =
    [ReplyKind::ToolCall, ReplyKind::Response, ReplyKind::Both, ReplyKind::Thoughts];

/// Panics unless a span lies in a text and, where that is UTF-8, between characters.
fn lies_in(span: Span, text: &[u8]) {
    assert!(span.start <= span.end && span.end <= text.len(), "{span} in {} bytes", text.len());
    if let Ok(text) = std::str::from_utf8(text) {
        assert!(
            text.is_char_boundary(span.start) && text.is_char_boundary(span.end),
            "{span} cuts a character"
        );
    }
}

/// Panics unless an error lies in a text. What is wrong may be a byte inside a character.
fn error_in(error: &SyntaxError, text: &[u8]) {
    assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error}");
    assert!(!error.to_string().is_empty());
}

/// Reads a reply in every way. Spans lie in the text and between characters; a turn that can be written is read
/// as itself; what is well-formed by the strict reading has thoughts in the other.
pub fn reply(data: &[u8]) {
    let parsed = parse(data);
    parsed.faults.iter().for_each(|fault| error_in(&fault.error, data));
    assert_eq!(parsed.outcome == Outcome::Whole, parsed.faults.is_empty());
    for passage in parsed.turn.thoughts.iter().chain(&parsed.turn.response) {
        let span = passage.span.expect("it was read");
        lies_in(span, data);
        assert_eq!(span.of(data), passage.as_bytes());
    }
    parsed.turn.calls.iter().for_each(|call| lies_in(call.span.expect("it was read"), data));
    if let Ok(text) = parsed.dialect.write(&parsed.turn) {
        let again = parse(&text);
        assert!(again.faults.is_empty() && strict(&text, parsed.turn.kind()).is_ok());
        assert_eq!(parsed.dialect.write(&again.turn), Ok(text));
    }
    if let Some(block) = lenient(data) {
        lies_in(block.span, data);
        for call in block.calls.iter().flatten() {
            lies_in(call.span, data);
            assert!(block.span.start <= call.span.start && call.span.end <= block.span.end);
            let again = json::parse(call.span.of(data)).expect("a call's span holds the call");
            assert!(json::identical_or_equal(&again, &call.value));
        }
    }
    for kind in KINDS {
        match strict(data, kind) {
            Ok(layout) => {
                let parts = [layout.thoughts, layout.tool_calls, layout.response];
                parts.into_iter().flatten().for_each(|span| lies_in(span, data));
                assert!(parsed.turn.thoughts.is_some());
                assert_eq!(
                    layout.tool_calls.is_some(),
                    matches!(kind, ReplyKind::ToolCall | ReplyKind::Both)
                );
            }
            Err(error) => error_in(&error, data),
        }
    }
}

/// Reads JSON. What was read is written and read again as the same value; what a reader of standard JSON
/// takes is taken, and means the same.
pub fn json(data: &[u8]) {
    let value = match json::parse(data) {
        Ok(value) => value,
        Err(error) => {
            error_in(&error, data);
            let is_limit = matches!(error.kind, SyntaxErrorKind::IntegerTooLong { .. });
            let standard = serde_json::from_slice::<serde_json::Value>(data);
            assert!(is_limit || standard.is_err(), "{error}, but standard JSON: {standard:?}");
            return;
        }
    };
    let (prefix, len) = json::parse_prefix(data.trim_ascii_start()).expect("the whole is a value");
    assert!(len <= data.len() && json::identical_or_equal(&prefix, &value));
    for entry in json::entries(data, Span::new(0, data.len())) {
        lies_in(entry.key_span, data);
        lies_in(entry.value_span, data);
    }
    if let Ok(standard) = serde_json::from_slice::<serde_json::Value>(data) {
        same(&value, &standard);
    }
    // Bytes that are no UTF-8 are written as U+FFFD.
    if std::str::from_utf8(data).is_ok() {
        for written in [value.to_string(), json::Unicode(&value).to_string()] {
            let again = json::parse(&written).expect("what was written is read");
            assert!(json::identical_or_equal(&value, &again), "{value} is written {written}");
            assert_eq!(again.to_string(), value.to_string());
        }
    }
}

/// Panics unless two readings of a text have the same form, names and texts.
fn same(value: &Value<'_>, standard: &serde_json::Value) {
    use serde_json::Value as Standard;
    match (value, standard) {
        (Value::Null, Standard::Null) | (Value::Int(_) | Value::Float(_), Standard::Number(_)) => {}
        (Value::Bool(a), Standard::Bool(b)) => assert_eq!(a, b),
        (Value::Str(a), Standard::String(b)) => assert_eq!(a.as_bytes(), b.as_bytes()),
        (Value::List(a), Standard::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| same(a, b));
        }
        (Value::Object(a), Standard::Object(b)) => {
            assert_eq!(a.len(), b.len());
            b.iter().for_each(|(key, b)| same(a.get(key.as_bytes()).expect("the key is there"), b));
        }
        (value, standard) => panic!("{value} is not {standard}"),
    }
}

/// Reads calls as Python writes them. A value of JSON that is written as Python's `repr` is read again as
/// the same value.
pub fn pythonic(data: &[u8]) {
    match calls::parse(data) {
        Ok(found) => found.iter().for_each(|call| lies_in(call.span, data)),
        Err(error) => error_in(&error, data),
    }
    if let Ok(text) = std::str::from_utf8(data) {
        python::parse_call(text);
        if let Ok(value) = json::parse(text) {
            written_as_python(&value);
        }
    }
}

fn written_as_python(value: &Value<'_>) {
    let source = [b"[f(a=", python::repr(value).as_slice(), b")]"].concat();
    match calls::parse(&source) {
        Ok(found) => {
            let again = found[0].arguments.get(&b"a"[..]).expect("the argument is there");
            assert!(json::identical_or_equal(value, again), "{value} is written {source:?}");
        }
        // Infinity and NaN are names to Python, not literals.
        Err(error) => {
            let named = value.to_string();
            let is_named = named.contains("Infinity") || named.contains("NaN");
            let is_limit = matches!(error.kind, SyntaxErrorKind::TooDeep { .. });
            assert!(is_named || is_limit, "{value}: {error}");
        }
    }
}
