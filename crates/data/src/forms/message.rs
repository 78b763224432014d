//! Messages of a prompt.

use serde_json::{Map, json};
use toolrl_grammar::json::{self, Object, Value};

use super::fields::CHANGES_PROMPT;
use super::{Row, call, notes};
use crate::{DataError, Message};

const LIST: &str = "a list of at least one message";

/// The messages at a field: a list of them, or its JSON.
pub(super) fn list(row: &Row<'_>, field: &str) -> Result<Vec<Value<'static>>, DataError> {
    let found = row.optional(field).unwrap_or(&Value::Null);
    match row.json(field, LIST, found)?.into_owned() {
        Value::List(items) if !items.is_empty() => Ok(items),
        other => Err(row.error(field, LIST, &other)),
    }
}

/// As [`list`], each read as a message.
pub(super) fn messages(row: &Row<'_>, field: &str) -> Result<Vec<Message>, DataError> {
    let items = list(row, field)?;
    items.iter().enumerate().map(|(index, item)| message(row, &format!("{field}.{index}"), item)).collect()
}

/// Whether a text is the JSON of messages.
pub(super) fn are_messages(text: &str) -> bool {
    let is_message = |item: &Value<'_>| item.get("role").is_some();
    text.trim_start().starts_with('[')
        && matches!(json::parse(text.trim()), Ok(Value::List(items)) if !items.is_empty() && items.iter().all(is_message))
}

/// A message: `role`, `content`, and what else a chat template may read. Beside calls nothing need be said. A table
/// has the rest in `more`, as JSON.
pub(super) fn message(row: &Row<'_>, field: &str, value: &Value<'static>) -> Result<Message, DataError> {
    let mut fields = value.as_object().ok_or_else(|| row.error(field, "a message", value))?.clone();
    fields.retain(|_, value| !matches!(value, Value::Null));
    add_more(&mut fields);
    let value = Value::Object(fields);
    let role = role(row, &format!("{field}.role"), value.get("role").unwrap_or(&Value::Null))?;
    let tool_calls = call::for_template(row, field, &value)?;
    let message = saying(row, field, &value, role)?;
    let fields = others(row, field, &value)?;
    Ok(Message { tool_calls, fields, ..message })
}

/// Puts the object whose JSON is `more` in its place, until there is none.
fn add_more(fields: &mut Object<'static>) {
    while let Some(Ok(Value::Object(more))) =
        fields.get(&b"more"[..]).and_then(Value::as_bytes).map(json::parse)
    {
        let more = more.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned()));
        let more: Object<'static> = more.collect();
        fields.shift_remove(&b"more"[..]);
        fields.extend(more);
    }
}

/// Who speaks. OpenAI's `developer` is the system, `function` a tool.
fn role(row: &Row<'_>, field: &str, value: &Value<'static>) -> Result<&'static str, DataError> {
    Ok(match row.text_of(field, value)?.as_ref() {
        "system" | "developer" => "system",
        "user" => "user",
        "assistant" => "assistant",
        "tool" | "function" => "tool",
        _ => return Err(row.error(field, "system, user, assistant or tool", value)),
    })
}

/// What a message says.
pub(super) fn content_of(row: &Row<'_>, field: &str, message: &Value<'static>) -> Result<String, DataError> {
    Ok(saying(row, field, message, "assistant")?.content)
}

/// A message of its content alone: a text, or parts that are text. Beside calls it may be missing.
fn saying(row: &Row<'_>, field: &str, message: &Value<'static>, role: &str) -> Result<Message, DataError> {
    let has = |name: &str| message.get(name).is_some_and(|value| !matches!(value, Value::Null));
    let field = format!("{field}.content");
    let content = match message.get("content").unwrap_or(&Value::Null) {
        Value::Null if has("tool_calls") || has("function_call") => serde_json::Value::Null,
        Value::List(parts) => {
            let parts = parts.iter().enumerate();
            parts
                .map(|(index, part)| text_part(row, &format!("{field}.{index}"), part))
                .collect::<Result<Vec<_>, _>>()?
                .into()
        }
        text => row.text_of(&field, text)?.into(),
    };
    let given = message.get("content").unwrap_or(&Value::Null);
    Message::with_content(role, content).map_err(|_| row.error(&field, "a text, or parts of text", given))
}

/// A part that is text: an object with `text`, or a string.
fn text_part(row: &Row<'_>, field: &str, part: &Value<'static>) -> Result<serde_json::Value, DataError> {
    let kind = part.get("type").and_then(Value::as_bytes);
    match (part, part.get("text")) {
        (Value::Object(_), Some(Value::Str(_))) if kind.is_none_or(|kind| kind == b"text") => {
            row.plain(field, part)
        }
        (Value::Object(_), Some(text)) if kind.is_some_and(|kind| kind.ends_with(b"_text")) => {
            Ok(json!({"type": "text", "text": row.text_of(field, text)?}))
        }
        (Value::Str(_), _) => Ok(json!({"type": "text", "text": row.text_of(field, part)?})),
        _ => Err(row.error(field, "a part of text, since only text is read", part)),
    }
}

/// What a chat template may read beside. What its JSON cannot hold is passed over.
fn others(
    row: &Row<'_>,
    field: &str,
    message: &Value<'static>,
) -> Result<Map<String, serde_json::Value>, DataError> {
    const READ: [&str; 4] = ["role", "content", "tool_calls", "function_call"];
    let mut others = Map::new();
    for (name, value) in message.as_object().into_iter().flatten() {
        let name = name.lossy();
        if READ.contains(&name.as_ref()) {
            continue;
        }
        let refused = CHANGES_PROMPT.iter().find(|(refused, _)| *refused == name && !value.is_empty());
        if let Some((_, remedy)) = refused {
            return Err(row.refuse(&format!("{field}.{name}"), remedy));
        }
        match row.plain(&format!("{field}.{name}"), value) {
            Ok(plain) => {
                others.insert(name.into_owned(), plain);
            }
            Err(_) => notes::count(&row.notes.passed_over, &format!("{name} of a message")),
        }
    }
    Ok(others)
}
