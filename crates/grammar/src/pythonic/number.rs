//! The production of a Python number.

use std::borrow::Cow;

use nom::{
    Parser,
    branch::alt,
    bytes::complete::take_while1,
    character::complete::{char, one_of},
    combinator::{opt, recognize},
};

use crate::SyntaxErrorKind;
use crate::fault::{Parse, fail};
use crate::json::{MAX_INTEGER_DIGITS, PyInt, Value};

/// `number = ["+" | "-"] (digits ["." [digits]] | "." digits) [exponent]`, decimal, `_` between digits
/// allowed. Without point and exponent it is an integer, and then has no leading zero.
pub(super) fn number(input: &[u8]) -> Parse<'_, Value<'_>> {
    let (rest, written) = token(input)?;
    let text: Cow<'_, str> = String::from_utf8_lossy(written);
    let text = text.trim_start_matches('+');
    let text: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    let fault = || fail(input, written.len(), SyntaxErrorKind::ExpectedPythonLiteral);
    if text.contains(['.', 'e', 'E']) {
        return text.parse().map_or_else(|_| fault(), |x| Ok((rest, Value::Float(x))));
    }
    let digits = text.trim_start_matches('-');
    if digits.len() > MAX_INTEGER_DIGITS {
        let kind = SyntaxErrorKind::IntegerTooLong { digits: digits.len(), limit: MAX_INTEGER_DIGITS };
        return fail(input, written.len(), kind);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return fault();
    }
    let value = match text.parse() {
        Ok(small) => PyInt::Small(small),
        Err(_) => PyInt::Big(Cow::Owned(text.into_owned())),
    };
    Ok((rest, Value::Int(value)))
}

fn token(input: &[u8]) -> Parse<'_, &[u8]> {
    let sign = || opt(one_of(&b"+-"[..]));
    let whole = alt((recognize((digits, opt((char('.'), opt(digits))))), recognize((char('.'), digits))));
    let found: Parse<'_, &[u8]> =
        recognize((sign(), whole, opt((one_of(&b"eE"[..]), sign(), digits)))).parse(input);
    found.or_else(|_| fail(input, 1, SyntaxErrorKind::ExpectedPythonLiteral))
}

/// `digits = digit {digit | "_"}`
fn digits(input: &[u8]) -> Parse<'_, &[u8]> {
    if !input.first().is_some_and(u8::is_ascii_digit) {
        return fail(input, 1, SyntaxErrorKind::ExpectedPythonLiteral);
    }
    take_while1(|byte: u8| byte.is_ascii_digit() || byte == b'_').parse(input)
}
