//! The productions of Python literals.

use super::{number::number, string::string};
use crate::SyntaxErrorKind;
use crate::fault::{Parse, fail};
use crate::json::{Notation, PyStr, Value, nested, space};

/// `literal = scalar | list | tuple | dict`
pub(super) fn literal(input: &[u8]) -> Parse<'_, Value<'_>> {
    nested::<Literal>(input)
}

/// Python's notation.
pub(super) struct Literal;

impl Notation for Literal {
    const MISSING: SyntaxErrorKind = SyntaxErrorKind::ExpectedPythonLiteral;
    const IS_PYTHON: bool = true;

    /// `key = scalar space ":" space`. What is no string becomes one as in `json.dumps`: `{1: "a"}` has the
    /// key `"1"`.
    fn key(input: &[u8]) -> Parse<'_, PyStr<'_>> {
        let Ok((rest, key)) = Self::scalar(input) else {
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

    /// `scalar = string | number | "True" | "False" | "None" | "true" | "false" | "null"`
    fn scalar(input: &[u8]) -> Parse<'_, Value<'_>> {
        match input.first() {
            Some(b'"' | b'\'') => string(input).map(|(rest, text)| (rest, Value::Str(text))),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => number(input),
            _ => constant(input),
        }
    }
}

/// Whether the text ends in what may become a dictionary's key.
pub(crate) fn ends_in_key(input: &[u8]) -> bool {
    match Literal::scalar(input) {
        Ok((rest, _)) => space(rest).is_empty(),
        Err(nom::Err::Error(failed)) => failed.kind == SyntaxErrorKind::UnterminatedString,
        Err(_) => false,
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
