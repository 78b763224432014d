//! The tools of a row, as JSON schemas.

use serde_json::json;
use toolrl_grammar::json::Value;

use super::Row;
use crate::DataError;

/// Where they stand.
pub(super) const FIELDS: [&str; 2] = ["tools", "functions"];

/// The tools of `tools` as they stand, or those of `functions`, OpenAI's earlier name, each put into
/// `{"type": "function", "function": …}`. A list, its JSON, or a list of JSON texts.
pub(super) fn tools(row: &Row<'_>) -> Result<Vec<serde_json::Value>, DataError> {
    let filled: Vec<_> = FIELDS.into_iter().filter(|field| row.filled(field).is_some()).collect();
    match filled.as_slice() {
        [] => Ok(Vec::new()),
        ["functions"] => {
            let functions = list(row, "functions")?;
            Ok(functions
                .into_iter()
                .map(|function| json!({"type": "function", "function": function}))
                .collect())
        }
        [field] => list(row, field),
        _ => Err(row.refuse("functions", "`tools` is there too, so take one of them out")),
    }
}

fn list(row: &Row<'_>, field: &str) -> Result<Vec<serde_json::Value>, DataError> {
    const EXPECTED: &str = "a list of tools, or its JSON";
    let found = row.optional(field).unwrap_or(&Value::Null);
    let read = row.json(field, EXPECTED, found)?;
    let Value::List(items) = read.as_ref() else {
        return Err(row.error(field, EXPECTED, found));
    };
    let tool = |(index, item): (usize, &Value<'static>)| {
        let field = format!("{field}.{index}");
        let item = row.json(&field, "a tool, or its JSON", item)?;
        row.plain(&field, &item)
    };
    items.iter().enumerate().map(tool).collect()
}
