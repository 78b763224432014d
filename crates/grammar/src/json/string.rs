//! The production of a string.

use std::borrow::Cow;

use super::PyStr;
use crate::SyntaxErrorKind;
use crate::fault::{Parse, fail};
use crate::text::push_code_point;

/// `string = '"' {character | escape} '"'`. Without an escape it borrows.
pub(super) fn string(input: &[u8]) -> Parse<'_, PyStr<'_>> {
    let Some((b'"', body)) = input.split_first() else {
        return fail(input, 1, SyntaxErrorKind::ExpectedKey);
    };
    let (mut rest, plain) = characters(body);
    if let Some((b'"', after)) = rest.split_first() {
        return Ok((after, PyStr(Cow::Borrowed(plain))));
    }
    let mut text = plain.to_vec();
    loop {
        match rest.split_first() {
            Some((b'"', after)) => return Ok((after, PyStr(Cow::Owned(text)))),
            Some((b'\\', _)) => {
                let (after, code) = escape(rest)?;
                push_code_point(&mut text, code);
                rest = after;
            }
            Some((&byte, _)) => return fail(rest, 1, SyntaxErrorKind::ControlCharacter { byte }),
            None => return fail(input, input.len(), SyntaxErrorKind::UnterminatedString),
        }
        let (after, plain) = characters(rest);
        text.extend_from_slice(plain);
        rest = after;
    }
}

/// Everything up to a quote, a backslash or a control character.
fn characters(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    let (plain, rest) = input.split_at(end.unwrap_or(input.len()));
    (rest, plain)
}

/// `escape = "\" ('"' | "\" | "/" | "b" | "f" | "n" | "r" | "t" | unicode)`
fn escape(input: &[u8]) -> Parse<'_, u32> {
    let code = match input.get(1) {
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'/') => b'/',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unicode(input),
        _ => return fail(input, 2, SyntaxErrorKind::InvalidEscape),
    };
    Ok((&input[2..], u32::from(code)))
}

/// `unicode = unit [unit]`: two units where they are a surrogate pair, else one.
fn unicode(input: &[u8]) -> Parse<'_, u32> {
    let (rest, high) = unit(input)?;
    if !(0xD800..0xDC00).contains(&high) || !rest.starts_with(b"\\u") {
        return Ok((rest, high));
    }
    match unit(rest)? {
        (after, low @ 0xDC00..=0xDFFF) => Ok((after, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))),
        _ => Ok((rest, high)),
    }
}

/// `unit = "\u" hex hex hex hex`
fn unit(input: &[u8]) -> Parse<'_, u32> {
    let Some(digits) = input.get(2..6) else {
        return fail(input, input.len(), SyntaxErrorKind::InvalidEscape);
    };
    let mut code = 0;
    for &digit in digits {
        match char::from(digit).to_digit(16) {
            Some(value) => code = code << 4 | value,
            None => return fail(input, 6, SyntaxErrorKind::InvalidEscape),
        }
    }
    Ok((&input[6..], code))
}
