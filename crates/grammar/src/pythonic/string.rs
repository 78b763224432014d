//! The production of a Python string.

use std::borrow::Cow;

use crate::SyntaxErrorKind;
use crate::fault::{Parse, fail};
use crate::json::PyStr;
use crate::text::push_code_point;

/// `string = quote {character | escape} quote`, the quote being `'`, `"`, `'''` or `"""`. Without an escape
/// it borrows.
pub(super) fn string(input: &[u8]) -> Parse<'_, PyStr<'_>> {
    let Some(&first) = input.first() else {
        return fail(input, 0, SyntaxErrorKind::ExpectedPythonLiteral);
    };
    let triple = [first; 3];
    let quote = if input.starts_with(&triple) { &triple[..] } else { &triple[..1] };
    let body = &input[quote.len()..];
    let mut owned: Option<Vec<u8>> = None;
    let mut rest = body;
    loop {
        let end = memchr::memchr2(first, b'\\', rest).unwrap_or(rest.len());
        let (plain, stop) = rest.split_at(end);
        if let Some(text) = &mut owned {
            text.extend_from_slice(plain);
        }
        if let Some(after) = stop.strip_prefix(quote) {
            let borrowed = &body[..body.len() - stop.len()];
            return Ok((after, PyStr(owned.map_or(Cow::Borrowed(borrowed), Cow::Owned))));
        }
        match stop.first() {
            Some(b'\\') => {
                let text = owned.get_or_insert_with(|| body[..body.len() - stop.len()].to_vec());
                rest = escape(stop, text)?.0;
            }
            // A quote of a longer kind's text.
            Some(&byte) => {
                owned.iter_mut().for_each(|text| text.push(byte));
                rest = &stop[1..];
            }
            None => return fail(input, input.len(), SyntaxErrorKind::UnterminatedString),
        }
    }
}

/// `escape = "\" (line break | simple | octal | "x" 2 hex | "u" 4 hex | "U" 8 hex)`; before anything else
/// the backslash stands for itself.
fn escape<'a>(input: &'a [u8], text: &mut Vec<u8>) -> Parse<'a, ()> {
    let Some(&kind) = input.get(1) else {
        return fail(input, 1, SyntaxErrorKind::UnterminatedString);
    };
    let code = match kind {
        b'\n' => return Ok((&input[2..], ())),
        b'\\' | b'\'' | b'"' => u32::from(kind),
        b'a' => 0x07,
        b'b' => 0x08,
        b't' => 0x09,
        b'n' => 0x0A,
        b'v' => 0x0B,
        b'f' => 0x0C,
        b'r' => 0x0D,
        b'0'..=b'7' => return digits(input, 1, 1..=3, 8, text),
        b'x' => return digits(input, 2, 2..=2, 16, text),
        b'u' => return digits(input, 2, 4..=4, 16, text),
        b'U' => return digits(input, 2, 8..=8, 16, text),
        b'N' => return fail(input, 2, SyntaxErrorKind::InvalidEscape),
        _ => {
            text.push(b'\\');
            return Ok((&input[1..], ()));
        }
    };
    push_code_point(text, code);
    Ok((&input[2..], ()))
}

/// A code point by its digits, of which there are as many as there can be, within `count`.
fn digits<'a>(
    input: &'a [u8],
    skip: usize,
    count: std::ops::RangeInclusive<usize>,
    radix: u32,
    text: &mut Vec<u8>,
) -> Parse<'a, ()> {
    let written = input[skip..].iter().take(*count.end());
    let digits: Vec<u32> = written.map_while(|&byte| char::from(byte).to_digit(radix)).collect();
    let code = digits.iter().fold(0, |code, digit| code << radix.ilog2() | digit);
    if !count.contains(&digits.len()) || code > 0x10_FFFF {
        return fail(input, skip + digits.len(), SyntaxErrorKind::InvalidEscape);
    }
    push_code_point(text, code);
    Ok((&input[skip + digits.len()..], ()))
}
