//! Lists of tools, and whether calls fit them.

use toolrl_grammar::json::{self, Object, Value};

use super::cause::{Cause, Refusal};
use super::step::{Call, Tool, json_text};

/// The tools of a JSON list. A tool may stand inside `{"type": "function", "function": …}`.
pub(super) fn tools(list: &Value<'_>) -> Result<Vec<Tool>, Refusal> {
    let refused = |detail: &str| Refusal::new(Cause::Tools, detail);
    let Value::List(items) = list else {
        return Err(refused("the tools are no JSON list"));
    };
    let mut tools: Vec<Tool> = Vec::with_capacity(items.len());
    for item in items {
        let tool = tool(item).ok_or_else(|| refused(&format!("no tool: {}", brief(item))))?;
        match tools.iter().find(|listed| listed.name == tool.name) {
            Some(same) if *same == tool => {}
            Some(_) => return Err(Refusal::new(Cause::SameName, tool.name)),
            None => tools.push(tool),
        }
    }
    if tools.is_empty() { Err(refused("the list of tools is empty")) } else { Ok(tools) }
}

/// The list of tools inside a text: the first JSON list of objects that is one. So that a hostile text
/// cannot take quadratic time, only the first places where a list of objects begins are tried.
pub(super) fn tools_in_text(text: &str) -> Result<Vec<Tool>, Refusal> {
    const PLACES: usize = 32;
    let begins_list = |at: &usize| text[at + 1..].trim_start().starts_with('{');
    let places = text.match_indices('[').map(|(at, _)| at).filter(begins_list).take(PLACES);
    let mut first_error = None;
    for at in places {
        let found = match json::parse_prefix(&text[at..]) {
            Ok((list, _)) => tools(&list),
            Err(error) => Err(Refusal::new(Cause::Tools, format!("from byte {at} on: {error}"))),
        };
        match found {
            Ok(tools) => return Ok(tools),
            Err(error) => first_error.get_or_insert(error),
        };
    }
    Err(first_error.unwrap_or_else(|| Refusal::new(Cause::Tools, "no JSON list of objects in `system`")))
}

fn tool(item: &Value<'_>) -> Option<Tool> {
    let item = item.get("function").filter(|inner| inner.as_object().is_some()).unwrap_or(item);
    let name = text(item.get("name")?)?;
    let description = item.get("description").and_then(text).unwrap_or_default();
    let (params, required) = match item.get("parameters") {
        None | Some(Value::Null) => (Vec::new(), Vec::new()),
        Some(Value::Object(parameters)) => schema(parameters)?,
        Some(_) => return None,
    };
    (!name.trim().is_empty()).then_some(Tool { name, description, params, required })
}

/// A tool's parameters with their schemas, and the names of `required`.
type Schema = (Vec<(String, String)>, Vec<String>);

/// The parameters of a JSON Schema, or of a flat object of parameters. `type` tells them apart: in a schema
/// it is a string, in a flat object the parameter of that name.
fn schema(parameters: &Object<'_>) -> Option<Schema> {
    let properties = match (parameters.get(&b"type"[..]), parameters.get(&b"properties"[..])) {
        (Some(Value::Str(_)), None | Some(Value::Null)) => return Some((Vec::new(), Vec::new())),
        (Some(Value::Str(_)), Some(properties)) => properties.as_object()?,
        (None, Some(Value::Object(properties))) if all_objects(properties) => properties,
        _ => parameters,
    };
    if !all_objects(properties) {
        return None;
    }
    let params = properties.iter().map(|(name, schema)| (name.lossy().into_owned(), json_text(schema)));
    let required = match parameters.get(&b"required"[..]) {
        Some(Value::List(names)) => names.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    Some((params.collect(), required))
}

fn all_objects(entries: &Object<'_>) -> bool {
    entries.values().all(|value| value.as_object().is_some())
}

/// A call of this name with these arguments.
pub(super) fn call(name: &str, arguments: &Object<'_>) -> Call {
    let arguments = arguments.iter().map(|(key, value)| (key.lossy().into_owned(), json_text(value)));
    Call { name: name.to_owned(), arguments: arguments.collect() }
}

/// Refuses calls that the tools do not offer.
pub(super) fn check(calls: &[Call], tools: &[Tool]) -> Result<(), Refusal> {
    for call in calls {
        let Some(tool) = tools.iter().find(|tool| tool.name == call.name) else {
            return Err(Refusal::new(Cause::UnknownTool, &call.name));
        };
        let known = |name: &str| tool.params.iter().any(|(param, _)| param == name);
        if let Some((name, _)) = call.arguments.iter().find(|(name, _)| !known(name)) {
            return Err(Refusal::new(Cause::UnknownParameter, format!("{}: {name}", call.name)));
        }
    }
    Ok(())
}

pub(super) fn text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.lossy().into_owned()),
        _ => None,
    }
}

/// The beginning of a value, for reports.
pub(super) fn brief(value: &Value<'_>) -> String {
    json_text(value).chars().take(60).collect()
}
