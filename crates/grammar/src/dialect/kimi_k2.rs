//! Kimi-K2: a section of calls, each named by its id.
//!
//! ```text
//! <|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{…}<|tool_call_end|><|tool_calls_section_end|>
//! ```
//!
//! The number counts a dialogue's calls. Of a call without an id it is the call's place in the turn.

use super::native::{Native, Thoughts};
use super::productions::{Found, arguments, consumed, literal, name, space};
use crate::fault::{Parse, fail};
use crate::json::{Entries, PyStr};
use crate::{Call, SyntaxErrorKind, text};

/// Kimi-K2's dialect.
pub static KIMI_K2: Native = Native {
    name: "kimi_k2",
    thoughts: Thoughts::TIGHT,
    marks: &[BEGIN],
    block,
    calls: |calls| {
        let calls: String = calls.iter().enumerate().map(|(i, call)| call_text(i, call)).collect();
        format!("{BEGIN}{calls}{END}")
    },
    ends: &["<|im_end|>"],
    ..Native::COMMON
};

const BEGIN: &str = "<|tool_calls_section_begin|>";
const END: &str = "<|tool_calls_section_end|>";
const CALL: &str = "<|tool_call_begin|>";
const ARGUMENTS: &str = "<|tool_call_argument_begin|>";
const CALL_END: &str = "<|tool_call_end|>";

/// `block = "<|tool_calls_section_begin|>" call {call} "<|tool_calls_section_end|>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (mut rest, ()) = literal(BEGIN, input)?;
    loop {
        let (after, call) = call(rest)?;
        calls.push(call);
        rest = space(after);
        let has_begun = |tag: &str| tag.as_bytes().starts_with(rest);
        if has_begun(CALL) && has_begun(END) {
            return fail(rest, rest.len(), SyntaxErrorKind::MissingTag { tag: END });
        }
        if !rest.starts_with(CALL.as_bytes()) && !has_begun(CALL) {
            return literal(END, rest);
        }
    }
}

/// `call = "<|tool_call_begin|>" id "<|tool_call_argument_begin|>" arguments "<|tool_call_end|>"`
fn call(input: &[u8]) -> Parse<'_, Found<'_>> {
    let (start, ()) = literal(CALL, input)?;
    let start = space(start);
    let (rest, id) = name(b"<", start)?;
    let (rest, ()) = literal(ARGUMENTS, rest)?;
    let Some(called) = called(id) else {
        let kind = SyntaxErrorKind::CallKey { key: "id", expected: "functions.NAME:NUMBER" };
        return fail(start, id.len(), kind);
    };
    let (rest, arguments) = arguments(rest)?;
    let text = consumed(start, rest);
    let (rest, ()) = literal(CALL_END, rest)?;
    let call = Call { id: Some(PyStr(id.into())), ..Call::new(PyStr(called.into()), arguments) };
    Ok((rest, Found { text, call, odd: None }))
}

/// `id = ["functions."] name ":" digits`: the name.
fn called(id: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memrchr(b':', id)?;
    let (name, digits) = (&id[..colon], &id[colon + 1..]);
    let name = name.strip_prefix(b"functions.").unwrap_or(name);
    let name = text::strip(name);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    (is_number && !name.is_empty() && !name.contains(&b':')).then_some(name)
}

fn call_text(place: usize, call: &Call<'_>) -> String {
    let own = call.id.as_ref().filter(|id| called(id.as_bytes()) == Some(call.name.as_bytes()));
    let id = own.map_or_else(|| format!("functions.{}:{place}", call.name.lossy()), |id| id.lossy().into());
    format!("{CALL}{id}{ARGUMENTS}{}{CALL_END}", Entries(&call.arguments))
}
