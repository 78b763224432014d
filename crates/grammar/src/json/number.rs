//! The production of a number.

use std::borrow::Cow;

use nom::{
    Parser,
    branch::alt,
    bytes::complete::tag,
    character::complete::{char, digit1, one_of},
    combinator::{opt, recognize},
    sequence::pair,
};

use super::{MAX_INTEGER_DIGITS, PyInt, Value};
use crate::SyntaxErrorKind;
use crate::fault::{Failed, Parse, fail};

/// `number = integer [fraction] [exponent]`. Without the last two it is an integer.
pub(super) fn number(input: &[u8]) -> Parse<'_, Value<'_>> {
    let (rest, whole) = integer(input)?;
    let (rest, tail) = recognize(pair(opt(fraction), opt(exponent))).parse(rest)?;
    if tail.is_empty() {
        return Ok((rest, Value::Int(integer_of(whole)?)));
    }
    let digits = ascii(&input[..input.len() - rest.len()]);
    match digits.parse() {
        Ok(x) => Ok((rest, Value::Float(x))),
        Err(_) => fail(input, 1, SyntaxErrorKind::ExpectedValue),
    }
}

/// `integer = ["-"] ("0" | digits)`, so that a leading zero ends it.
fn integer(input: &[u8]) -> Parse<'_, &[u8]> {
    recognize(pair(opt(char('-')), alt((tag(&b"0"[..]), digit1)))).parse(input)
}

/// `fraction = "." digits`
fn fraction(input: &[u8]) -> Parse<'_, &[u8]> {
    recognize(pair(char('.'), digit1)).parse(input)
}

/// `exponent = ("e" | "E") ["+" | "-"] digits`
fn exponent(input: &[u8]) -> Parse<'_, &[u8]> {
    recognize((one_of(&b"eE"[..]), opt(one_of(&b"+-"[..])), digit1)).parse(input)
}

fn integer_of(text: &[u8]) -> Result<PyInt<'_>, nom::Err<Failed<'_>>> {
    let digits = text.len() - usize::from(text.starts_with(b"-"));
    if digits > MAX_INTEGER_DIGITS {
        let kind = SyntaxErrorKind::IntegerTooLong { digits, limit: MAX_INTEGER_DIGITS };
        return Err(nom::Err::Failure(Failed { at: text, len: text.len(), kind }));
    }
    let text = ascii(text);
    Ok(match text.parse() {
        Ok(small) => PyInt::Small(small),
        Err(_) => PyInt::Big(Cow::Borrowed(text)),
    })
}

/// Digits, signs and points, which are ASCII.
fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}
