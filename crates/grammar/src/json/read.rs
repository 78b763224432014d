//! The productions of values, lists and objects.

use nom::{Parser, branch::alt, bytes::complete::tag, combinator::value as literal};

use super::{MAX_DEPTH, Object, PyStr, Value, number::number, string::string};
use crate::fault::{Parse, fail, finish};
use crate::{SyntaxError, SyntaxErrorKind};

/// Reads one JSON value that fills the whole text, white space around it aside.
///
/// # Errors
/// [`SyntaxError`] where Python's `json.loads` raises.
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Result<Value<'_>, SyntaxError> {
    let text = text.as_ref();
    finish(text, document(text))
}

/// Reads the JSON value with which the text begins, and how many bytes it takes. What follows is not looked at.
///
/// # Errors
/// [`SyntaxError`] where no value begins or it is broken.
///
/// ```
/// let (value, len) = toolrl_grammar::json::parse_prefix("[1, 2] and words").unwrap();
/// assert_eq!((value.to_string().as_str(), len), ("[1, 2]", 6));
/// ```
pub fn parse_prefix<T: AsRef<[u8]> + ?Sized>(text: &T) -> Result<(Value<'_>, usize), SyntaxError> {
    let text = text.as_ref();
    let read = value(text).map(|(rest, value)| (&rest[rest.len()..], (value, text.len() - rest.len())));
    finish(text, read)
}

/// `document = space value space`, without a byte-order mark.
fn document(input: &[u8]) -> Parse<'_, Value<'_>> {
    if input.starts_with("\u{feff}".as_bytes()) {
        return fail(input, 3, SyntaxErrorKind::ByteOrderMark);
    }
    let (rest, value) = value(space(input))?;
    Ok((space(rest), value))
}

/// `space = {" " | "\t" | "\n" | "\r"}`: what is left after it.
pub(crate) fn space(input: &[u8]) -> &[u8] {
    let end = input.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &input[end.unwrap_or(input.len())..]
}

/// A way to write values: JSON, or Python's literals.
pub(crate) trait Notation {
    /// What is wrong where the text ends and a value must stand.
    const MISSING: SyntaxErrorKind;
    /// Whether it has tuples, and a comma may stand before a closing bracket.
    const IS_PYTHON: bool;

    /// A key, its colon and the space after it.
    fn key(input: &[u8]) -> Parse<'_, PyStr<'_>>;

    /// A value that is no container.
    fn scalar(input: &[u8]) -> Parse<'_, Value<'_>>;
}

/// A container of which the end has not been read.
enum Open<'a> {
    List(Vec<Value<'a>>),
    /// Parentheses: a tuple where a comma stands in them, else the value that they surround.
    Round(Vec<Value<'a>>),
    /// With the key whose value comes next.
    Object(Object<'a>, PyStr<'a>),
}

/// What begins at a place where a value must stand.
enum Begun<'a> {
    Whole(Value<'a>),
    Open(Open<'a>),
}

/// `value = scalar | list | object`
pub(crate) fn value(input: &[u8]) -> Parse<'_, Value<'_>> {
    nested::<Json>(input)
}

/// `nested = scalar | list | tuple | object`. Open containers stand on a stack of their own, so that the
/// nesting of the input never becomes nesting of calls.
pub(crate) fn nested<N: Notation>(input: &[u8]) -> Parse<'_, Value<'_>> {
    let mut stack = Vec::new();
    let mut rest = input;
    loop {
        let (after, begun) = begin::<N>(rest)?;
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
            let (after, grown) = grow::<N>(rest, open, done)?;
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
fn begin<N: Notation>(input: &[u8]) -> Parse<'_, Begun<'_>> {
    let Some((&first, after)) = input.split_first() else {
        return fail(input, 0, N::MISSING);
    };
    let inner = space(after);
    match (first, inner.first()) {
        (b'[', Some(b']')) => Ok((&inner[1..], Begun::Whole(Value::List(Vec::new())))),
        (b'[', _) => Ok((inner, Begun::Open(Open::List(Vec::new())))),
        (b'(', Some(b')')) if N::IS_PYTHON => Ok((&inner[1..], Begun::Whole(Value::List(Vec::new())))),
        (b'(', _) if N::IS_PYTHON => Ok((inner, Begun::Open(Open::Round(Vec::new())))),
        (b'{', Some(b'}')) => Ok((&inner[1..], Begun::Whole(Value::Object(Object::default())))),
        (b'{', _) => {
            let (rest, key) = N::key(inner)?;
            Ok((rest, Begun::Open(Open::Object(Object::default(), key))))
        }
        _ => N::scalar(input).map(|(rest, value)| (rest, Begun::Whole(value))),
    }
}

/// Puts a finished value into its container, which a comma leaves open unless Python's closing bracket follows.
fn grow<'a, N: Notation>(input: &'a [u8], open: Open<'a>, item: Value<'a>) -> Parse<'a, Begun<'a>> {
    let (rest, comma) = match space(input).split_first() {
        Some((b',', rest)) => (space(rest), true),
        _ => (space(input), false),
    };
    let ends = |close: u8| !comma || N::IS_PYTHON && rest.first() == Some(&close);
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
        Open::Object(mut entries, key_of_item) => {
            entries.insert(key_of_item, item);
            if ends(b'}') {
                return closed(rest, b'}', Value::Object(entries));
            }
            let (rest, key) = N::key(rest)?;
            Ok((rest, Begun::Open(Open::Object(entries, key))))
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

/// JSON's notation.
struct Json;

impl Notation for Json {
    const MISSING: SyntaxErrorKind = SyntaxErrorKind::ExpectedValue;
    const IS_PYTHON: bool = false;

    /// `key = string space ":" space`
    fn key(input: &[u8]) -> Parse<'_, PyStr<'_>> {
        let (rest, key) = string(input)?;
        match space(rest).split_first() {
            Some((b':', rest)) => Ok((space(rest), key)),
            _ => fail(rest, 1, SyntaxErrorKind::ExpectedColon),
        }
    }

    /// `scalar = string | number | constant`
    fn scalar(input: &[u8]) -> Parse<'_, Value<'_>> {
        match input {
            [b'"', ..] => string(input).map(|(rest, text)| (rest, Value::Str(text))),
            [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => number(input),
            _ => constant(input),
        }
    }
}

/// `constant = "null" | "true" | "false" | "NaN" | "Infinity" | "-Infinity"`
fn constant(input: &[u8]) -> Parse<'_, Value<'_>> {
    alt((
        literal(Value::Null, tag(&b"null"[..])),
        literal(Value::Bool(true), tag(&b"true"[..])),
        literal(Value::Bool(false), tag(&b"false"[..])),
        literal(Value::Float(f64::NAN), tag(&b"NaN"[..])),
        literal(Value::Float(f64::INFINITY), tag(&b"Infinity"[..])),
        literal(Value::Float(f64::NEG_INFINITY), tag(&b"-Infinity"[..])),
    ))
    .parse(input)
}
