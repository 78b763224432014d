//! Calls as JSON objects, and lists of them.

use std::fmt::Write as _;

use super::{Found, consumed, literal, space};
use crate::fault::{Parse, fail};
use crate::json::{Entries, Object, PyStr, Unicode, Value, value};
use crate::{Call, SyntaxErrorKind};

/// Which keys a call's object has, beside `name`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// Under which the arguments may stand: the first is the one that is written.
    pub arguments: &'static [&'static str],
    /// What else may stand there and says nothing.
    pub idle: &'static [&'static str],
    /// Whether calls may have an `id`.
    pub ids: bool,
}

impl Keys {
    /// `name` and `arguments`.
    pub(crate) const PLAIN: Self = Self { arguments: &["arguments"], idle: &[], ids: false };
}

/// `call = "{" "name" ":" string "," "arguments" ":" object "}"`, its keys in any order.
pub(crate) fn object(keys: Keys, input: &[u8]) -> Parse<'_, Found<'_>> {
    let input = space(input);
    let (rest, value) = value(input)?;
    let text = consumed(input, rest);
    match call(keys, value) {
        Ok((call, odd)) => Ok((rest, Found { text, call, odd })),
        Err(kind) => fail(input, text.len(), kind),
    }
}

fn call(keys: Keys, value: Value<'_>) -> Result<(Call<'_>, Option<SyntaxErrorKind>), SyntaxErrorKind> {
    let wrong = |key, expected| SyntaxErrorKind::CallKey { key, expected };
    let Value::Object(mut entries) = value else {
        return Err(SyntaxErrorKind::CallNotAnObject);
    };
    let mut take = |key: &str| entries.shift_remove(key.as_bytes());
    let Some(Value::Str(name)) = take("name").filter(|name| !name.is_empty()) else {
        return Err(wrong("name", "a string, and not empty"));
    };
    let arguments = keys.arguments.iter().find_map(|&key| take(key));
    let Some(Value::Object(arguments)) = arguments else {
        return Err(wrong(keys.arguments[0], "an object"));
    };
    let id = match keys.ids.then(|| take("id")).flatten() {
        Some(Value::Str(id)) => Some(id),
        None => None,
        Some(_) => return Err(wrong("id", "a string")),
    };
    let is_odd = entries.keys().any(|key| !keys.idle.iter().any(|idle| idle.as_bytes() == key.as_bytes()));
    Ok((Call { id, ..Call::new(name, arguments) }, is_odd.then_some(SyntaxErrorKind::UnknownCallKey)))
}

/// `calls = "[" call {"," call} "]"`
pub(crate) fn list<'a>(keys: Keys, input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (mut rest, ()) = literal("[", input)?;
    loop {
        let (after, call) = object(keys, rest)?;
        calls.push(call);
        let after = space(after);
        match after.split_first() {
            Some((b',', after)) => rest = after,
            Some((b']', after)) => return Ok((after, ())),
            _ => return fail(after, 1, SyntaxErrorKind::ExpectedComma { close: ']' }),
        }
    }
}

/// `arguments = object`, by itself.
pub(crate) fn arguments(input: &[u8]) -> Parse<'_, Object<'_>> {
    let input = space(input);
    match value(input)? {
        (rest, Value::Object(entries)) => Ok((rest, entries)),
        (rest, _) => {
            let kind = SyntaxErrorKind::CallKey { key: "arguments", expected: "an object" };
            fail(input, consumed(input, rest).len(), kind)
        }
    }
}

/// A call as [`object`] reads it: `{"name": …, "arguments": {…}}`, and its id where calls have them.
pub(crate) fn object_text(keys: Keys, call: &Call<'_>) -> String {
    let quoted = |text: &PyStr<'_>| Unicode(&Value::Str(text.clone())).to_string();
    let (key, name) = (keys.arguments[0], quoted(&call.name));
    let mut text = format!("{{\"name\": {name}, \"{key}\": {}", Entries(&call.arguments));
    if let (Some(id), true) = (&call.id, keys.ids) {
        // Writing to a string cannot fail.
        let _ = write!(text, ", \"id\": {}", quoted(id));
    }
    text + "}"
}

/// Calls as [`list`] reads them.
pub(crate) fn list_text(keys: Keys, calls: &[Call<'_>]) -> String {
    let calls: Vec<_> = calls.iter().map(|call| object_text(keys, call)).collect();
    format!("[{}]", calls.join(", "))
}
