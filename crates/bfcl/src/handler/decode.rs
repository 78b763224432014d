//! A reply's text to calls.

use toolrl_grammar::json::{self, Object, PyStr, Value};
use toolrl_grammar::{tags, text};

use super::{Calls, Handler};
use crate::python::repr;

/// Why a reply has no calls that could be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// A call's name is no string, or its parameters are no object.
    #[error("AttributeError")]
    Attribute,
    /// A reply in a model's own form that the official handler of that form cannot read.
    #[error("not the form of calls of this handler")]
    Unreadable,
}

/// The calls of a reply as the checker takes them: a list of `{name: parameters}`.
///
/// The calls stand after the last `<tool_call>`, up to the next `</tool_call>` or the end, one JSON
/// object a line. Lines that are no such object are left out, and so are calls without a name or
/// parameters and those named `none`, in any case and with white space around. A reply without
/// `<tool_call>` has no calls. Parameters may be any value here; [`crate::is_call_list`] tells.
///
/// ```
/// let reply = "<think> x </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n</tool_call>";
/// assert_eq!(toolrl_bfcl::decode_ast(reply).to_string(), r#"[{"f": {"a": 1}}]"#);
/// ```
pub fn decode_ast<T: AsRef<[u8]> + ?Sized>(reply: &T) -> Value<'_> {
    let calls = lines(reply.as_ref()).filter_map(|line| {
        let Value::Object(mut call) = line else {
            return None;
        };
        let (Some(Value::Str(name)), true) = (call.get(&b"name"[..]), call.contains_key(&b"parameters"[..]))
        else {
            return None;
        };
        let name = Some(name.clone()).filter(|name| !is_none(name))?;
        let parameters = call.swap_remove(&b"parameters"[..])?;
        Some(Value::Object(Object::from_iter([(name, parameters)])))
    });
    Value::List(calls.collect())
}

/// The calls of a reply as Python source, `name(a=1, b='x')`, as services execute them. A call
/// without a name or parameters has an empty one or none.
///
/// # Errors
/// [`DecodeError`] where the official handler raises: one such call spoils the reply.
///
/// ```
/// let reply = "<tool_call>\n{\"name\": \"f\", \"parameters\": {\"a\": \"it's\"}}\n</tool_call>";
/// let calls = toolrl_bfcl::decode_execute(reply).unwrap();
/// assert_eq!(calls[0].as_bytes(), br#"f(a="it's")"#);
/// ```
pub fn decode_execute<T: AsRef<[u8]> + ?Sized>(reply: &T) -> Result<Vec<PyStr<'static>>, DecodeError> {
    Handler::Toolrl.decode_execute(reply)
}

/// Names and arguments of the calls to execute.
pub(super) fn calls(reply: &[u8]) -> Result<Calls<'_>, DecodeError> {
    let mut calls = Vec::new();
    for line in lines(reply) {
        let Value::Object(mut call) = line else {
            continue;
        };
        let name = match call.swap_remove(&b"name"[..]) {
            None => PyStr::from(""),
            Some(Value::Str(name)) if is_none(&name) => continue,
            Some(Value::Str(name)) => name,
            Some(_) => return Err(DecodeError::Attribute),
        };
        let arguments = match call.swap_remove(&b"parameters"[..]) {
            None => Object::default(),
            Some(Value::Object(parameters)) => parameters,
            Some(_) => return Err(DecodeError::Attribute),
        };
        calls.push((name, arguments));
    }
    Ok(calls)
}

/// A call as Python source.
pub(super) fn source(name: &PyStr<'_>, arguments: &Object<'_>) -> PyStr<'static> {
    let mut source = [name.as_bytes(), b"("].concat();
    for (index, (key, value)) in arguments.iter().enumerate() {
        source.extend(if index == 0 { &b""[..] } else { b", " });
        source.extend(key.as_bytes());
        source.push(b'=');
        source.extend(repr(value));
    }
    source.push(b')');
    PyStr(source.into())
}

/// The JSON values of the block of calls, a line each.
fn lines(reply: &[u8]) -> impl Iterator<Item = Value<'_>> {
    let lines = tags::TOOL_CALL.last(reply).map(|block| json::lines(text::strip(block)));
    lines.into_iter().flatten().filter_map(|line| Some(line.ok()?.value))
}

/// Whether a name means that nothing is called.
fn is_none(name: &PyStr<'_>) -> bool {
    text::strip(name.as_bytes()).eq_ignore_ascii_case(b"none")
}
