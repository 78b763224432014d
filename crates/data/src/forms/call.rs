//! An assistant's calls, in the forms that rows have them in.

use std::borrow::Cow;

use serde_json::{Map, json};
use toolrl_grammar::json::{Object, Value};

use super::Row;
use crate::DataError;

const CALLS: &str = "a list of calls, or its JSON";
const ARGUMENTS: &str = "an object of arguments, or its JSON";

/// Calls as chat templates read them: `{"type": "function", "function": {"name": …, "arguments": {…}}}`, and what else
/// each has, such as its `id`. Rows may have them without `function` around, and arguments as the JSON of an object.
pub(super) fn calls(
    row: &Row<'_>,
    field: &str,
    value: &Value<'static>,
) -> Result<serde_json::Value, DataError> {
    let read = row.json(field, CALLS, value)?;
    let Value::List(items) = read.as_ref() else {
        return Err(row.error(field, CALLS, value));
    };
    let calls = items.iter().enumerate().map(|(index, item)| call(row, &format!("{field}.{index}"), item));
    Ok(calls.collect::<Result<Vec<_>, _>>()?.into())
}

/// One call, as of [`calls`].
pub(super) fn call(
    row: &Row<'_>,
    field: &str,
    value: &Value<'static>,
) -> Result<serde_json::Value, DataError> {
    let (outer, inner, at) = match value.get("function") {
        Some(inner @ Value::Object(_)) => (value.as_object(), inner, format!("{field}.function")),
        _ => (None, value, field.to_owned()),
    };
    let entries =
        inner.as_object().ok_or_else(|| row.error(&at, "a call with `name` and `arguments`", inner))?;
    let name = row.text_of(&format!("{at}.name"), inner.get("name").unwrap_or(&Value::Null))?;
    let arguments = arguments(row, &format!("{at}.arguments"), inner.get("arguments"))?;
    let arguments = row.plain_object(&format!("{at}.arguments"), &arguments)?;
    let mut call = Map::new();
    for (key, value) in outer.unwrap_or(entries) {
        let key = key.lossy();
        if !matches!(key.as_ref(), "function" | "name" | "arguments") && !matches!(value, Value::Null) {
            call.insert(key.to_string(), row.plain(&format!("{field}.{key}"), value)?);
        }
    }
    call.entry("type").or_insert_with(|| "function".into());
    call.insert("function".to_owned(), json!({"name": name, "arguments": arguments}));
    Ok(call.into())
}

/// The arguments of a call: none where nothing stands.
fn arguments<'v>(
    row: &Row<'_>,
    field: &str,
    value: Option<&'v Value<'static>>,
) -> Result<Cow<'v, Object<'static>>, DataError> {
    let value = match value {
        None | Some(Value::Null) => return Ok(Cow::Owned(Object::default())),
        Some(Value::Str(text)) if text.as_bytes().trim_ascii().is_empty() => {
            return Ok(Cow::Owned(Object::default()));
        }
        Some(value) => value,
    };
    match row.json(field, ARGUMENTS, value)? {
        Cow::Borrowed(Value::Object(entries)) => Ok(Cow::Borrowed(entries)),
        Cow::Owned(Value::Object(entries)) => Ok(Cow::Owned(entries)),
        _ => Err(row.error(field, ARGUMENTS, value)),
    }
}
