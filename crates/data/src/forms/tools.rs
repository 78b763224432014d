//! The tools of a row, as JSON schemas.

use serde_json::json;
use toolrl_grammar::json::{self, Value};

use super::Row;
use crate::DataError;

/// Where they stand.
pub(super) const FIELDS: [&str; 2] = ["tools", "functions"];

const TOOL: &str = "a tool, or its JSON";
const LIST: &str = "a list of tools, or its JSON";

/// The tools of `tools`, or of `functions`, OpenAI's earlier name: a list, its JSON, or a list of JSON texts. One that
/// stands bare is put into `{"type": "function", "function": …}`, the form that chat templates read.
pub(super) fn tools(row: &Row<'_>) -> Result<Vec<serde_json::Value>, DataError> {
    let filled: Vec<_> = FIELDS.into_iter().filter(|field| row.filled(field).is_some()).collect();
    match filled.as_slice() {
        [] => Ok(Vec::new()),
        [field] => {
            let found = row.optional(field).unwrap_or(&Value::Null);
            match row.json(field, LIST, found)?.as_ref() {
                Value::List(items) => each(row, field, items),
                _ => Err(row.error(field, LIST, found)),
            }
        }
        _ => Err(row.refuse("functions", "`tools` is there too, so take one of them out")),
    }
}

/// The tools at the beginning of a text, a JSON list of them or one JSON object after another, with or without commas between
/// them; and the text behind them.
pub(super) fn in_text<'t>(
    row: &Row<'_>,
    field: &str,
    text: &'t str,
) -> Result<(Vec<serde_json::Value>, &'t str), DataError> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while rest.starts_with(['[', '{']) {
        let read = json::parse_prefix(rest);
        let (value, len) = read.map_err(|_| row.error(field, LIST, &Value::str(rest.to_owned())))?;
        match value.into_owned() {
            Value::List(list) => items.extend(list),
            tool => items.push(tool),
        }
        rest = rest[len..].trim_start();
        let behind_comma = rest.strip_prefix(',').map(str::trim_start);
        rest = behind_comma.filter(|next| next.starts_with(['[', '{'])).unwrap_or(rest);
    }
    Ok((each(row, field, &items)?, rest))
}

/// The tools of a text that has nothing else.
pub(super) fn of_text(row: &Row<'_>, field: &str, text: &str) -> Result<Vec<serde_json::Value>, DataError> {
    match in_text(row, field, text)? {
        (tools, "") => Ok(tools),
        (_, rest) => Err(row.error(field, LIST, &Value::str(rest.to_owned()))),
    }
}

fn each(row: &Row<'_>, field: &str, items: &[Value<'static>]) -> Result<Vec<serde_json::Value>, DataError> {
    let tool = |(index, item): (usize, &Value<'static>)| {
        let field = format!("{field}.{index}");
        let read = row.json(&field, TOOL, item)?;
        let tool = read.as_object().ok_or_else(|| row.error(&field, TOOL, item))?;
        let plain = row.plain_object(&field, tool)?;
        let bare = plain.contains_key("name") && !plain.contains_key("function");
        Ok(if bare { json!({"type": "function", "function": plain}) } else { plain.into() })
    };
    items.iter().enumerate().map(tool).collect()
}
