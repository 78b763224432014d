//! GLM-4.5 to 4.7: keys and values in turn.
//!
//! ```text
//! <tool_call>f
//! <arg_key>k</arg_key>
//! <arg_value>v</arg_value>
//! </tool_call>
//! ```
//!
//! Values have no types: strings stand as they are, all else as JSON. They end at the first `</arg_value>`, and
//! hold no `<arg_key>`.

use super::compare::untyped;
use super::native::{Native, Thoughts, Types};
use super::productions::{Found, consumed, literal, name, space, until_without};
use crate::fault::{Parse, fail};
use crate::json::{Object, PyStr, Value};
use crate::tags::{TOOL_CALL, Tags};
use crate::{Call, SyntaxErrorKind, text};

/// GLM's dialect.
pub static GLM45: Native = Native {
    name: "glm45",
    thoughts: Thoughts { after: "\n", ..Thoughts::TIGHT },
    marks: &[TOOL_CALL.open],
    block,
    calls: |calls| calls.iter().map(call_text).collect::<Vec<_>>().join("\n"),
    join: "\n",
    types: Types::Lost,
    ends: &["<|observation|>", "<|user|>", "<|endoftext|>"],
    ..Native::COMMON
};

const KEY: Tags = Tags { open: "<arg_key>", close: "</arg_key>" };
const VALUE: Tags = Tags { open: "<arg_value>", close: "</arg_value>" };

/// `block = "<tool_call>" name {key value} "</tool_call>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (start, ()) = literal(TOOL_CALL.open, input)?;
    let start = space(start);
    let (mut rest, called) = name(b"<", start)?;
    let mut arguments = Object::default();
    loop {
        rest = space(rest);
        if let Some(after) = rest.strip_prefix(KEY.open.as_bytes()) {
            let (after, key) = until_without(KEY.close, "<", after)?;
            let (after, ()) = literal(VALUE.open, after)?;
            let (after, value) = until_without(VALUE.close, KEY.open, after)?;
            arguments.insert(PyStr(text::strip(key).into()), Value::Str(PyStr(value.into())));
            rest = after;
        } else if KEY.open.as_bytes().starts_with(rest) {
            return fail(rest, rest.len(), SyntaxErrorKind::MissingTag { tag: TOOL_CALL.close });
        } else {
            let (rest, ()) = literal(TOOL_CALL.close, rest)?;
            let text =
                text::strip(consumed(start, rest).strip_suffix(TOOL_CALL.close.as_bytes()).unwrap_or(start));
            calls.push(Found { text, call: Call::new(PyStr(called.into()), arguments), odd: None });
            return Ok((rest, ()));
        }
    }
}

fn call_text(call: &Call<'_>) -> String {
    let argument = |(key, value): (&PyStr<'_>, &Value<'_>)| {
        let (key, value) = (key.lossy(), untyped(value));
        format!("{}{key}{}\n{}{value}{}\n", KEY.open, KEY.close, VALUE.open, VALUE.close)
    };
    let arguments: String = call.arguments.iter().map(argument).collect();
    format!("{}{}\n{arguments}{}", TOOL_CALL.open, call.name.lossy(), TOOL_CALL.close)
}
