//! An assistant's calls, in the forms that rows have them in.

use std::borrow::Cow;

use serde_json::{Map, json};
use toolrl_grammar::Call;
use toolrl_grammar::json::{Object, PyStr, Value};

use super::Row;
use crate::DataError;

const CALLS: &str = "a list of calls, or its JSON";
const ARGUMENTS: &str = "an object of arguments, or its JSON";

/// A call as it stands in a row.
struct Found<'v> {
    /// The field of its name and arguments.
    field: String,
    name: String,
    arguments: Cow<'v, Object<'static>>,
    /// What else it has, such as its `id`.
    others: Vec<(&'v PyStr<'static>, &'v Value<'static>)>,
}

/// The calls of a message, to the digit.
pub(super) fn exact(
    row: &Row<'_>,
    field: &str,
    message: &Value<'static>,
) -> Result<Vec<Call<'static>>, DataError> {
    each(row, field, message, |call| Ok(Call::new(call.name, call.arguments.into_owned())))
}

/// The calls of a message as chat templates read them: `{"type": "function", "function": {"name": …, "arguments":
/// {…}}}`, and what else each has. Rows may have them without `function` around, arguments as the JSON of an object,
/// and a single one in `function_call`.
pub(super) fn for_template(
    row: &Row<'_>,
    field: &str,
    message: &Value<'static>,
) -> Result<Option<serde_json::Value>, DataError> {
    let calls = each(row, field, message, |call| {
        let mut plain = Map::new();
        for (name, value) in call.others {
            plain.insert(
                name.lossy().into_owned(),
                row.plain(&format!("{}.{}", call.field, name.lossy()), value)?,
            );
        }
        plain.entry("type").or_insert_with(|| "function".into());
        let arguments = row.plain_object(&format!("{}.arguments", call.field), &call.arguments)?;
        plain.insert("function".to_owned(), json!({"name": call.name, "arguments": arguments}));
        Ok(serde_json::Value::Object(plain))
    })?;
    Ok((!calls.is_empty()).then(|| calls.into()))
}

/// Calls that were read from a text, as chat templates read them.
pub(super) fn of_text(
    row: &Row<'_>,
    field: &str,
    calls: &[Call<'static>],
) -> Result<serde_json::Value, DataError> {
    let call = |call: &Call<'static>| {
        let arguments = row.plain_object(field, &call.arguments)?;
        Ok(json!({"type": "function", "function": {"name": call.name.lossy(), "arguments": arguments}}))
    };
    Ok(calls.iter().map(call).collect::<Result<Vec<_>, _>>()?.into())
}

/// What `of` makes of each call of a message's `tool_calls` or `function_call`.
fn each<T>(
    row: &Row<'_>,
    field: &str,
    message: &Value<'static>,
    of: impl Fn(Found<'_>) -> Result<T, DataError>,
) -> Result<Vec<T>, DataError> {
    let filled =
        |name: &str| message.get(name).filter(|value| !matches!(value, Value::Null) && !value.is_empty());
    let at = |name: &str| format!("{field}.{name}");
    match (filled("tool_calls"), filled("function_call")) {
        (None, None) => Ok(Vec::new()),
        (None, Some(call)) => {
            let at = at("function_call");
            let call = row.json(&at, "a call, or its JSON", call)?;
            Ok(vec![of(found(row, at, &call)?)?])
        }
        (Some(_), Some(_)) => {
            Err(row.refuse(&at("function_call"), "`tool_calls` is there too, so take one of them out"))
        }
        (Some(value), None) => {
            let at = at("tool_calls");
            let read = row.json(&at, CALLS, value)?;
            let Value::List(items) = read.as_ref() else {
                return Err(row.error(&at, CALLS, value));
            };
            let items = items.iter().enumerate();
            items.map(|(index, item)| of(found(row, format!("{at}.{index}"), item)?)).collect()
        }
    }
}

fn found<'v>(row: &Row<'_>, field: String, value: &'v Value<'static>) -> Result<Found<'v>, DataError> {
    let (inner, field) = match value.get("function") {
        Some(inner @ Value::Object(_)) => (inner, format!("{field}.function")),
        _ => (value, field),
    };
    let entries =
        value.as_object().ok_or_else(|| row.error(&field, "a call with `name` and `arguments`", value))?;
    let name = row.text_of(&format!("{field}.name"), inner.get("name").unwrap_or(&Value::Null))?.into_owned();
    let arguments = inner.get("arguments").or(inner.get("parameters"));
    let arguments = arguments_of(row, &format!("{field}.arguments"), arguments)?;
    let own = |name: &PyStr<'_>| {
        [&b"function"[..], b"name", b"arguments", b"parameters"].contains(&name.as_bytes())
    };
    let others = entries.iter().filter(|(name, value)| !own(name) && !matches!(value, Value::Null)).collect();
    Ok(Found { field, name, arguments, others })
}

/// The arguments of a call: none where nothing stands.
fn arguments_of<'v>(
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
