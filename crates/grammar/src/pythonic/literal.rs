//! The productions of Python literals.

use super::{number::number, string::string};
use crate::SyntaxErrorKind;
use crate::fault::{Parse, fail};
use crate::json::{MAX_DEPTH, Object, PyStr, Value};

/// `space = {" " | "\t" | "\n" | "\r"}`: what is left after it.
pub(super) fn space(input: &[u8]) -> &[u8] {
    let end = input.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &input[end.unwrap_or(input.len())..]
}

/// A container of which the end has not been read.
enum Open<'a> {
    List(Vec<Value<'a>>),
    /// Parentheses: a tuple where a comma stands in them, else the value that they surround.
    Round(Vec<Value<'a>>),
    /// With the key whose value comes next.
    Dict(Object<'a>, PyStr<'a>),
}

/// What begins at a place where a value must stand.
enum Begun<'a> {
    Whole(Value<'a>),
    Open(Open<'a>),
}

/// `literal = scalar | list | tuple | dict`. As with JSON, open containers stand on a stack of their own.
pub(super) fn literal(input: &[u8]) -> Parse<'_, Value<'_>> {
    let mut stack = Vec::new();
    let mut rest = input;
    loop {
        let (after, begun) = begin(rest)?;
        let mut done = match begun {
            Begun::Whole(value) => value,
            Begun::Open(_) if stack.len() >= MAX_DEPTH => {
                return fail(rest, 1, SyntaxErrorKind::TooDeep { limit: MAX_DEPTH });
            }
            Begun::Open(open) => {
                stack.push(open);
                rest = after;
                continue;
            }
        };
        rest = after;
        loop {
            let Some(open) = stack.pop() else {
                return Ok((rest, done));
            };
            let (after, grown) = grow(rest, open, done)?;
            rest = after;
            match grown {
                Begun::Whole(value) => done = value,
                Begun::Open(open) => {
                    stack.push(open);
                    break;
                }
            }
        }
    }
}

/// `begin = scalar | "[" "]" | "[" | "(" ")" | "(" | "{" "}" | "{" key`
fn begin(input: &[u8]) -> Parse<'_, Begun<'_>> {
    let Some((&first, after)) = input.split_first() else {
        return fail(input, 0, SyntaxErrorKind::ExpectedPythonLiteral);
    };
    let inner = space(after);
    match (first, inner.first()) {
        (b'[', Some(b']')) | (b'(', Some(b')')) => Ok((&inner[1..], Begun::Whole(Value::List(Vec::new())))),
        (b'[', _) => Ok((inner, Begun::Open(Open::List(Vec::new())))),
        (b'(', _) => Ok((inner, Begun::Open(Open::Round(Vec::new())))),
        (b'{', Some(b'}')) => Ok((&inner[1..], Begun::Whole(Value::Object(Object::default())))),
        (b'{', _) => {
            let (rest, key) = key(inner)?;
            Ok((rest, Begun::Open(Open::Dict(Object::default(), key))))
        }
        _ => scalar(input).map(|(rest, value)| (rest, Begun::Whole(value))),
    }
}

/// Puts a finished value into its container, which a comma leaves open unless the closing bracket follows.
fn grow<'a>(input: &'a [u8], open: Open<'a>, item: Value<'a>) -> Parse<'a, Begun<'a>> {
    let (rest, comma) = match space(input).split_first() {
        Some((b',', rest)) => (space(rest), true),
        _ => (space(input), false),
    };
    let ends = |close: u8| !comma || rest.first() == Some(&close);
    match open {
        Open::Round(items) if !comma && items.is_empty() => closed(rest, b')', item),
        Open::List(mut items) => {
            items.push(item);
            if ends(b']') {
                return closed(rest, b']', Value::List(items));
            }
            Ok((rest, Begun::Open(Open::List(items))))
        }
        Open::Round(mut items) => {
            items.push(item);
            if ends(b')') {
                return closed(rest, b')', Value::List(items));
            }
            Ok((rest, Begun::Open(Open::Round(items))))
        }
        Open::Dict(mut entries, key_of_item) => {
            entries.insert(key_of_item, item);
            if ends(b'}') {
                return closed(rest, b'}', Value::Object(entries));
            }
            let (rest, key) = key(rest)?;
            Ok((rest, Begun::Open(Open::Dict(entries, key))))
        }
    }
}

/// The closing bracket, which makes `value` whole.
fn closed<'a>(input: &'a [u8], close: u8, value: Value<'a>) -> Parse<'a, Begun<'a>> {
    match input.split_first() {
        Some((&byte, rest)) if byte == close => Ok((rest, Begun::Whole(value))),
        _ => fail(input, 1, SyntaxErrorKind::ExpectedComma { close: char::from(close) }),
    }
}

/// `key = scalar space ":" space`. What is no string becomes one as in `json.dumps`: `{1: "a"}` has the
/// key `"1"`.
fn key(input: &[u8]) -> Parse<'_, PyStr<'_>> {
    let Ok((rest, key)) = scalar(input) else {
        return fail(input, 1, SyntaxErrorKind::ExpectedPythonKey);
    };
    let Some((b':', rest)) = space(rest).split_first() else {
        return fail(input, 1, SyntaxErrorKind::ExpectedPythonKey);
    };
    let key = match key {
        Value::Str(key) => key,
        other => PyStr::from(other.to_string()),
    };
    Ok((space(rest), key))
}

/// Whether the text ends in what may become a dictionary's key.
pub(crate) fn ends_in_key(input: &[u8]) -> bool {
    match scalar(input) {
        Ok((rest, _)) => space(rest).is_empty(),
        Err(nom::Err::Error(failed)) => failed.kind == SyntaxErrorKind::UnterminatedString,
        Err(_) => false,
    }
}

/// `scalar = string | number | "True" | "False" | "None" | "true" | "false" | "null"`
pub(super) fn scalar(input: &[u8]) -> Parse<'_, Value<'_>> {
    match input.first() {
        Some(b'"' | b'\'') => string(input).map(|(rest, text)| (rest, Value::Str(text))),
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => number(input),
        _ => constant(input),
    }
}

fn constant(input: &[u8]) -> Parse<'_, Value<'_>> {
    let end = input.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_' && byte.is_ascii());
    let (word, rest) = input.split_at(end.unwrap_or(input.len()));
    let value = match word {
        b"True" | b"true" => Value::Bool(true),
        b"False" | b"false" => Value::Bool(false),
        b"None" | b"null" => Value::Null,
        _ => return fail(input, word.len().max(1), SyntaxErrorKind::ExpectedPythonLiteral),
    };
    Ok((rest, value))
}
