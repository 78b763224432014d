//! xLAM's form: one request, the tools, and the calls that answer it.

use serde_json::{Map, json};
use toolrl_grammar::json::{Object, Value};

use super::dialogue::{Dialogue, Spoken, saying};
use super::{Form, Row, RowForm, tools};
use crate::build::NO_TOOL;
use crate::{DataError, Sample};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Xlam,
    told_by: &[&["query"], &["answers"]],
    fields: &["query", "answers", "id"],
    read,
};

/// `{query, tools, answers}`, of which the latter two are lists or their JSON. A row without answers is one where no
/// tool fits.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let query = row.text("query")?;
    let answers = row.optional("answers").unwrap_or(&Value::Null);
    let calls = row.json("answers", "a list of calls, or its JSON", answers)?.into_owned();
    let reply = match &calls {
        Value::List(items) if items.is_empty() => saying("assistant", NO_TOOL),
        _ => {
            let said: Object<'static> =
                [("role".into(), Value::str("assistant")), ("tool_calls".into(), calls)]
                    .into_iter()
                    .collect();
            Value::Object(said)
        }
    };
    let spoken = vec![
        Spoken { field: "query".to_owned(), value: saying("user", query.trim()) },
        Spoken { field: "answers".to_owned(), value: reply },
    ];
    let mut listed = tools::tools(row)?;
    listed.iter_mut().filter_map(|tool| tool.pointer_mut("/function/parameters")).for_each(as_schema);
    Dialogue { spoken, tools: listed, given: 0 }.samples(row)
}

/// Puts a flat object of parameters, each with a type of Python's, into a JSON Schema. In a schema `type` is a string.
fn as_schema(parameters: &mut serde_json::Value) {
    let Some(flat) = parameters.as_object() else { return };
    let all_objects = flat.values().all(serde_json::Value::is_object);
    if !all_objects || flat.get("type").is_some_and(serde_json::Value::is_string) {
        return;
    }
    let mut required = Vec::new();
    let mut properties = Map::new();
    for (name, parameter) in flat {
        let mut parameter = parameter.clone();
        let written =
            parameter.get("type").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let (kind, optional) = json_type(&written);
        if let Some(kind) = kind {
            parameter["type"] = kind.into();
        }
        if !optional && parameter.get("default").is_none() {
            required.push(name.clone());
        }
        properties.insert(name.clone(), parameter);
    }
    *parameters = json!({"type": "object", "properties": properties, "required": required});
}

/// JSON Schema's name of a type of Python's such as `List[int], optional`, and whether it says so.
fn json_type(written: &str) -> (Option<&'static str>, bool) {
    let optional = written.contains("optional") || written.starts_with("Optional");
    let inner = written.strip_prefix("Optional[").unwrap_or(written);
    let name = inner.split(['[', ',', ']', ' ']).next().unwrap_or_default();
    let kind = match name.to_ascii_lowercase().as_str() {
        "str" | "string" => "string",
        "int" | "integer" => "integer",
        "float" | "number" => "number",
        "bool" | "boolean" => "boolean",
        "list" | "tuple" | "set" | "array" => "array",
        "dict" | "object" => "object",
        _ => return (None, optional),
    };
    (Some(kind), optional)
}
