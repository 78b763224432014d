//! Qwen3-Coder: a tag a parameter.
//!
//! ```text
//! <tool_call>
//! <function=f>
//! <parameter=k>
//! v
//! </parameter>
//! </function>
//! </tool_call>
//! ```
//!
//! Values have no types: strings stand as they are, all else as JSON. They end at the first `</parameter>`, hold no
//! `<parameter=`, and lose a line break at either end. Where the model leaves out `<tool_call>`, as it does at times, the call is read and the
//! tag is at fault.

use super::compare::untyped;
use super::native::{Native, Types};
use super::productions::{Found, consumed, literal, name, space, until_without};
use crate::fault::{Parse, fail};
use crate::json::{Object, PyStr, Value};
use crate::tags::TOOL_CALL;
use crate::{Call, SyntaxErrorKind};

/// Qwen3-Coder's dialect.
pub static QWEN3_CODER: Native = Native {
    name: "qwen3_coder",
    marks: &[TOOL_CALL.open, FUNCTION],
    block,
    calls: |calls| calls.iter().map(call_text).collect::<Vec<_>>().join("\n"),
    join: "\n\n",
    types: Types::Lost,
    ends: &["<|im_end|>", "<|endoftext|>"],
    ..Native::COMMON
};

const FUNCTION: &str = "<function=";
const PARAMETER: &str = "<parameter=";
const PARAMETER_END: &str = "</parameter>";
const END: &str = "</function>";

/// `block = "<tool_call>" function "</tool_call>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    if input.starts_with(FUNCTION.as_bytes()) {
        let (rest, call) = function(input)?;
        let odd = Some(SyntaxErrorKind::ExpectedLiteral { literal: TOOL_CALL.open });
        calls.push(Found { odd, ..call });
        return Ok(literal(TOOL_CALL.close, rest).unwrap_or((rest, ())));
    }
    let (rest, ()) = literal(TOOL_CALL.open, input)?;
    let (rest, call) = function(space(rest))?;
    calls.push(call);
    literal(TOOL_CALL.close, rest)
}

/// `function = "<function=" name ">" {parameter} "</function>"`
fn function(input: &[u8]) -> Parse<'_, Found<'_>> {
    let (rest, ()) = literal(FUNCTION, input)?;
    let (rest, called) = name(b"><", rest)?;
    let (mut rest, ()) = literal(">", rest)?;
    let mut arguments = Object::default();
    loop {
        rest = space(rest);
        if let Some(after) = rest.strip_prefix(PARAMETER.as_bytes()) {
            let (after, (key, value)) = parameter(after)?;
            arguments.insert(PyStr(key.into()), Value::Str(PyStr(value.into())));
            rest = after;
        } else if PARAMETER.as_bytes().starts_with(rest) {
            return fail(rest, rest.len(), SyntaxErrorKind::MissingTag { tag: END });
        } else {
            let (rest, ()) = literal(END, rest)?;
            let call = Call::new(PyStr(called.into()), arguments);
            return Ok((rest, Found { text: consumed(input, rest), call, odd: None }));
        }
    }
}

/// `parameter = "<parameter=" name ">" value "</parameter>"`, from the name on.
fn parameter(input: &[u8]) -> Parse<'_, (&[u8], &[u8])> {
    let (rest, key) = name(b"><", input)?;
    let Some(rest) = rest.strip_prefix(b">") else {
        return fail(rest, 1, SyntaxErrorKind::ExpectedLiteral { literal: ">" });
    };
    let (rest, value) = until_without(PARAMETER_END, PARAMETER, rest)?;
    let value = value.strip_prefix(b"\n").unwrap_or(value);
    Ok((rest, (key, value.strip_suffix(b"\n").unwrap_or(value))))
}

fn call_text(call: &Call<'_>) -> String {
    let parameter = |(key, value): (&PyStr<'_>, &Value<'_>)| {
        format!("{PARAMETER}{}>\n{}\n{PARAMETER_END}\n", key.lossy(), untyped(value))
    };
    let parameters: String = call.arguments.iter().map(parameter).collect();
    let name = call.name.lossy();
    format!("{}\n{FUNCTION}{name}>\n{parameters}{END}\n{}", TOOL_CALL.open, TOOL_CALL.close)
}
