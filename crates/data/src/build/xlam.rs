//! xLAM-function-calling-60k: one request, its tools and its calls.

use std::borrow::Cow;

use serde_json::Value;
use toolrl_grammar::json;

use super::cause::{Cause, Refusal};
use super::read::{Conversation, field};
use super::step::{Call, Turn};
use super::tools;

/// The answer where no tool fits.
pub(super) const NO_TOOL: &str = "None of the tools that I have can do this.";

/// Reads a row `{query, tools, answers}`, of which `tools` and `answers` are JSON or strings of JSON. A row
/// without answers is one where no tool fits.
pub(super) fn conversation(row: &Value) -> Result<Conversation, Refusal> {
    let query = field(row, "query", "a string", Value::as_str)?.trim();
    if query.is_empty() {
        return Err(Refusal::new(Cause::Field, "field `query`: expected a request, found nothing"));
    }
    let (listed, answers) = (json_field(row, "tools")?, json_field(row, "answers")?);
    let listed = json::parse(listed.as_ref()).map_err(|error| Refusal::new(Cause::Tools, error))?;
    let tools = tools::tools(&listed)?;
    let answers = json::parse(answers.as_ref()).map_err(|error| Refusal::new(Cause::Answers, error))?;
    let calls = calls(&answers)?;
    let step = tools::check(&calls, &tools).map(|()| 1);
    let gold = if calls.is_empty() { Turn::Response(NO_TOOL.to_owned()) } else { Turn::Calls(calls) };
    Ok(Conversation { tools, dialogue: vec![Turn::User(query.to_owned()), gold], steps: vec![step] })
}

/// The JSON text of a field that holds a list or the text of one.
fn json_field<'a>(row: &'a Value, name: &str) -> Result<Cow<'a, str>, Refusal> {
    field(row, name, "a JSON list or its text", |value| match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Array(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    })
}

fn calls(answers: &json::Value<'_>) -> Result<Vec<Call>, Refusal> {
    let refused = |found: &json::Value<'_>| Refusal::new(Cause::Answers, tools::brief(found));
    let json::Value::List(items) = answers else {
        return Err(refused(answers));
    };
    let call = |item: &json::Value<'_>| {
        let name = tools::text(item.get("name")?)?;
        Some(tools::call(&name, item.get("arguments")?.as_object()?))
    };
    items.iter().map(|item| call(item).ok_or_else(|| refused(item))).collect()
}
