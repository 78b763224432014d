//! FunctionGemma: values of its own.
//!
//! ```text
//! <start_function_call>call:f{city:<escape>Rome<escape>,days:3,near:[<escape>a<escape>]}<end_function_call>
//! ```
//!
//! Strings stand between `<escape>`, which they cannot hold; numbers, `true`, `false` and `null` as in JSON. Keys
//! are bare, or strings.

use super::native::Native;
use super::productions::{Found, consumed, literal, name, space, until};
use crate::fault::{Parse, fail};
use crate::json::{Object, PyStr, Unicode, Value, value as json_value};
use crate::tags::Tags;
use crate::{Call, SyntaxErrorKind};

/// FunctionGemma's dialect.
pub static FUNCTION_GEMMA: Native = Native {
    name: "function_gemma",
    marks: &[TAGS.open],
    block,
    calls: |calls| calls.iter().map(call_text).collect(),
    ends: &["<end_of_turn>", "<start_function_response>"],
    ..Native::COMMON
};

const TAGS: Tags = Tags { open: "<start_function_call>", close: "<end_function_call>" };
const ESCAPE: &str = "<escape>";

/// The deepest nesting that is read.
const DEPTH: usize = 64;

/// `block = "<start_function_call>" "call:" name object "<end_function_call>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (start, ()) = literal(TAGS.open, input)?;
    let start = space(start);
    let (rest, ()) = literal("call:", start)?;
    let (rest, called) = name(b"{<", rest)?;
    let (rest, arguments) = object(rest, 0)?;
    let call = Call::new(PyStr(called.into()), arguments);
    calls.push(Found { text: consumed(start, rest), call, odd: None });
    literal(TAGS.close, rest)
}

/// `value = string | object | list | scalar`
fn value(input: &[u8], depth: usize) -> Parse<'_, Value<'_>> {
    if depth > DEPTH {
        return fail(input, 1, SyntaxErrorKind::TooDeep { limit: DEPTH });
    }
    match input.first() {
        Some(b'<') => string(input).map(|(rest, text)| (rest, Value::Str(PyStr(text.into())))),
        Some(b'{') => object(input, depth).map(|(rest, entries)| (rest, Value::Object(entries))),
        Some(b'[') => list(input, depth),
        Some(b'"') => fail(input, 1, SyntaxErrorKind::ExpectedLiteral { literal: ESCAPE }),
        _ => json_value(input),
    }
}

/// `string = "<escape>" text "<escape>"`
fn string(input: &[u8]) -> Parse<'_, &[u8]> {
    let (rest, ()) = literal(ESCAPE, input)?;
    until(ESCAPE, rest)
}

/// `object = "{" [key ":" value {"," key ":" value}] "}"`
fn object(input: &[u8], depth: usize) -> Parse<'_, Object<'_>> {
    let (rest, ()) = literal("{", input)?;
    let mut rest = space(rest);
    let mut entries = Object::default();
    loop {
        if let (Some((b'}', after)), true) = (rest.split_first(), entries.is_empty()) {
            return Ok((after, entries));
        }
        let (after, key) = if rest.starts_with(b"<") { string(rest)? } else { name(b":,}]", rest)? };
        let (after, ()) = literal(":", after)?;
        let (after, value) = value(space(after), depth + 1)?;
        entries.insert(PyStr(key.into()), value);
        let after = space(after);
        match after.split_first() {
            Some((b',', after)) => rest = space(after),
            Some((b'}', after)) => return Ok((after, entries)),
            _ => return fail(after, 1, SyntaxErrorKind::ExpectedComma { close: '}' }),
        }
    }
}

/// `list = "[" [value {"," value}] "]"`
fn list(input: &[u8], depth: usize) -> Parse<'_, Value<'_>> {
    let (rest, ()) = literal("[", input)?;
    let mut rest = space(rest);
    let mut items = Vec::new();
    loop {
        if let (Some((b']', after)), true) = (rest.split_first(), items.is_empty()) {
            return Ok((after, Value::List(items)));
        }
        let (after, item) = value(rest, depth + 1)?;
        items.push(item);
        let after = space(after);
        match after.split_first() {
            Some((b',', after)) => rest = space(after),
            Some((b']', after)) => return Ok((after, Value::List(items))),
            _ => return fail(after, 1, SyntaxErrorKind::ExpectedComma { close: ']' }),
        }
    }
}

fn call_text(call: &Call<'_>) -> String {
    format!("{}call:{}{}{}", TAGS.open, call.name.lossy(), object_text(&call.arguments), TAGS.close)
}

fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => format!("{ESCAPE}{}{ESCAPE}", text.lossy()),
        Value::Object(entries) => object_text(entries),
        Value::List(items) => format!("[{}]", items.iter().map(value_text).collect::<Vec<_>>().join(",")),
        scalar => Unicode(scalar).to_string(),
    }
}

fn object_text(entries: &Object<'_>) -> String {
    let entry = |(key, value): (&PyStr<'_>, &Value<'_>)| format!("{}:{}", key.lossy(), value_text(value));
    format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
}
