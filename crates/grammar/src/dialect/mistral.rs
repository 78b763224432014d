//! Mistral: `[TOOL_CALLS]`, and what follows by the version of the tokenizer.
//!
//! ```text
//! [TOOL_CALLS][{"name": "f", "arguments": {…}, "id": "9 characters"}]     before version 11
//! [TOOL_CALLS]f[ARGS]{…}[TOOL_CALLS]g[CALL_ID]9 characters[ARGS]{…}       from it on
//! ```
//!
//! The two are dialects of their own, since a model writes one of them. Reasoning models of the later versions
//! think between `[THINK]` and `[/THINK]`.

use super::native::{Native, Thoughts};
use super::productions::{Found, Keys, arguments, consumed, list, list_text, literal, name, space};
use crate::fault::{Parse, fail};
use crate::json::{Entries, PyStr};
use crate::tags::Tags;
use crate::{Call, SyntaxErrorKind};

/// Mistral's dialect before version 11.
pub static MISTRAL: Native =
    Native { name: "mistral", block, calls: |calls| format!("{MARK}{}", list_text(KEYS, calls)), ..FORM };

/// Mistral's dialect from version 11 on.
pub static MISTRAL_V11: Native = Native {
    name: "mistral_v11",
    thoughts: Thoughts { tags: Tags { open: "[THINK]", close: "[/THINK]" }, inner: "", after: "" },
    block: block_v11,
    calls: |calls| calls.iter().map(call_text).collect(),
    ..FORM
};

/// What both have.
const FORM: Native = Native { marks: &[MARK], ends: &["</s>"], ..Native::COMMON };

const KEYS: Keys = Keys { ids: true, ..Keys::PLAIN };

const MARK: &str = "[TOOL_CALLS]";
const ID: &str = "[CALL_ID]";
const ARGS: &str = "[ARGS]";

/// `block = "[TOOL_CALLS]" calls`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal(MARK, input)?;
    list(KEYS, rest, calls)
}

/// `block = "[TOOL_CALLS]" name ["[CALL_ID]" id] "[ARGS]" arguments`. That a server has dropped `[ARGS]`, a special
/// token, does not hide the call.
fn block_v11<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (start, ()) = literal(MARK, input)?;
    let (rest, called) = name(b"[{", start)?;
    let (rest, id) = match rest.strip_prefix(ID.as_bytes()) {
        Some(rest) => name(b"[{", rest).map(|(rest, id)| (rest, Some(PyStr(id.into()))))?,
        None if ID.as_bytes().starts_with(rest) => {
            return fail(rest, rest.len(), SyntaxErrorKind::MissingTag { tag: ID });
        }
        None => (rest, None),
    };
    let (rest, odd) = match rest.first() {
        Some(b'{') => (rest, Some(SyntaxErrorKind::ExpectedLiteral { literal: ARGS })),
        _ => (literal(ARGS, rest)?.0, None),
    };
    let (rest, arguments) = arguments(rest)?;
    let start = space(start);
    let call = Call { id, ..Call::new(PyStr(called.into()), arguments) };
    calls.push(Found { text: consumed(start, rest), call, odd });
    Ok((rest, ()))
}

fn call_text(call: &Call<'_>) -> String {
    let id = call.id.as_ref().map_or_else(String::new, |id| format!("{ID}{}", id.lossy()));
    format!("{MARK}{}{id}{ARGS}{}", call.name.lossy(), Entries(&call.arguments))
}
