//! An assistant's calls, in the forms that rows have them in.

use std::borrow::Cow;

use serde_json::{Map, json};
use toolrl_grammar::Call;
use toolrl_grammar::json::{Object, Value};

use super::Row;
use crate::DataError;

const CALLS: &str = "a list of calls, or its JSON";
const ARGUMENTS: &str = "an object of arguments, or its JSON";

/// A call as it stands in a row.
struct Found<'v> {
    /// The whole, and the field it stands in.
    outer: (&'v Object<'static>, String),
    /// What holds its name and arguments: `function`, or the whole.
    inner: (&'v Object<'static>, String),
    name: String,
    arguments: Cow<'v, Object<'static>>,
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
    let calls = each(row, field, message, |call| template_call(row, &call))?;
    Ok((!calls.is_empty()).then(|| calls.into()))
}

fn template_call(row: &Row<'_>, call: &Found<'_>) -> Result<serde_json::Value, DataError> {
    let ((outer, outer_field), (inner, inner_field)) = (&call.outer, &call.inner);
    let bare = std::ptr::eq(*inner, *outer);
    let is_of_function = |name: &str| matches!(name, "name" | "arguments" | "parameters");
    let renamed = !inner.contains_key(&b"arguments"[..]);
    let wanted = |name: &str| (!bare || is_of_function(name)) && !(renamed && name == "parameters");
    let mut function = plain_entries(row, inner_field, inner, wanted)?;
    let arguments = row.plain_object(&format!("{inner_field}.arguments"), &call.arguments)?;
    function.insert("arguments".to_owned(), arguments.into());
    if bare {
        let mut plain = plain_entries(row, outer_field, outer, |name| !is_of_function(name))?;
        plain.entry("type").or_insert_with(|| "function".into());
        plain.insert("function".to_owned(), function.into());
        return Ok(plain.into());
    }
    let mut plain = plain_entries(row, outer_field, outer, |_| true)?;
    plain.insert("function".to_owned(), function.into());
    Ok(plain.into())
}

/// The entries of these names that are not null, in their order.
fn plain_entries(
    row: &Row<'_>,
    field: &str,
    entries: &Object<'static>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Map<String, serde_json::Value>, DataError> {
    let named = entries.iter().map(|(name, value)| (name.lossy(), value));
    let wanted = named.filter(|(name, value)| !matches!(value, Value::Null) && is_wanted(name));
    wanted
        .map(|(name, value)| Ok((name.to_string(), row.plain(&format!("{field}.{name}"), value)?)))
        .collect()
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
    let refused = || row.error(&field, "a call with `name` and `arguments`", value);
    let outer = value.as_object().ok_or_else(refused)?;
    let inner = match value.get("function") {
        Some(Value::Object(inner)) => (inner, format!("{field}.function")),
        _ => (outer, field.clone()),
    };
    let get = |name: &str| inner.0.get(name.as_bytes());
    let name = row.text_of(&format!("{}.name", inner.1), get("name").unwrap_or(&Value::Null))?.into_owned();
    let arguments = get("arguments").or(get("parameters"));
    let arguments = arguments_of(row, &format!("{}.arguments", inner.1), arguments)?;
    Ok(Found { outer: (outer, field), inner, name, arguments })
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
