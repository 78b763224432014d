//! Calls as Python writes them, in a list.

use super::{Found, consumed, literal, space};
use crate::fault::{Parse, fail};
use crate::json::{PyStr, Value};
use crate::{Call, SyntaxErrorKind, pythonic};

/// `calls = "[" call {"," call} [","] "]"`. An argument needs its parameter's name.
pub(crate) fn list<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal("[", input)?;
    let mut rest = space(rest);
    loop {
        // Names are short of what a call's production would look through for its parenthesis.
        let end = rest.iter().position(|byte| !is_plain(byte, b"_-.:/&+ ()")).unwrap_or(rest.len());
        if !pythonic::begins_call(&rest[..end], rest) {
            return fail(rest, end.max(1), SyntaxErrorKind::ExpectedCall);
        }
        let (after, call) = pythonic::call(rest, rest)?;
        let len = consumed(rest, after).len();
        if !call.positional.is_empty() || !call.arguments.keys().all(is_parameter) {
            return fail(rest, len, SyntaxErrorKind::ExpectedParameter);
        }
        let (text, call) = (consumed(rest, after), Call::new(call.name, call.arguments));
        calls.push(Found { text, call, odd: None });
        rest = space(after);
        if let Some((b',', after)) = rest.split_first() {
            rest = space(after);
        } else if rest.first() != Some(&b']') {
            return fail(rest, 1, SyntaxErrorKind::ExpectedComma { close: ']' });
        }
        if let Some((b']', after)) = rest.split_first() {
            return Ok((after, ()));
        }
    }
}

/// Whether a byte is of a letter or a digit, or one of these.
pub(crate) fn is_plain(byte: &u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || others.contains(byte)
}

fn is_parameter(name: &PyStr<'_>) -> bool {
    name.as_bytes().iter().all(|byte| is_plain(byte, b"_-.$@ "))
}

/// Whether a text begins as a list of calls: `"[" name "("`, as much of it as is there. Words may begin with a
/// bracket too.
pub(crate) fn opens_list(text: &[u8]) -> bool {
    let Some(inner) = text.strip_prefix(b"[") else {
        return false;
    };
    let inner = space(inner);
    let name = inner.iter().position(|byte| matches!(byte, b'(' | b']' | b'\n' | b'"' | b'\'' | b','));
    name.is_none_or(|end| end > 0 && inner[end] == b'(')
}

/// Calls as [`list`] reads them.
pub(crate) fn list_text(calls: &[Call<'_>]) -> String {
    let argument =
        |(name, value): (&PyStr<'_>, &Value<'_>)| format!("{}={}", name.lossy(), pythonic::Python(value));
    let call = |call: &Call<'_>| {
        let arguments: Vec<_> = call.arguments.iter().map(argument).collect();
        format!("{}({})", call.name.lossy(), arguments.join(", "))
    };
    format!("[{}]", calls.iter().map(call).collect::<Vec<_>>().join(", "))
}
