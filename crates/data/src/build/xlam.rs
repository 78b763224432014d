//! xLAM-function-calling-60k: one request, its tools and its calls.

use std::borrow::Cow;

use toolrl_grammar::json::{self, Value};

use super::cause::{Cause, Refusal};
use super::read::{Conversation, field, list, text};
use super::step::{Call, Turn};
use super::tools;

/// The answer where no tool fits.
pub(crate) const NO_TOOL: &str = "None of the tools that I have can do this.";

/// The fields of a row.
pub(super) const FIELDS: &[&str] = &["query", "tools", "answers", "id"];

/// Reads a row `{query, tools, answers}`, of which `tools` and `answers` are JSON or strings of JSON. A row
/// without answers is one where no tool fits.
pub(super) fn conversation(row: &Value<'_>) -> Result<Conversation, Refusal> {
    let query = field(row, "query", "a string", text)?;
    let query = query.trim();
    if query.is_empty() {
        return Err(Refusal::new(Cause::Field, "field `query`: expected a request, found nothing"));
    }
    let (listed, answers) =
        (json_field(row, "tools", Cause::Tools)?, json_field(row, "answers", Cause::Answers)?);
    let tools = tools::tools(&listed)?;
    let calls = calls(&answers)?;
    let step = tools::check(&calls, &tools).map(|()| 1);
    let gold = if calls.is_empty() { Turn::Response(NO_TOOL.to_owned()) } else { Turn::Calls(calls) };
    Ok(Conversation { tools, dialogue: vec![Turn::User(query.to_owned()), gold], steps: vec![step] })
}

/// A field that holds a list or the text of its JSON.
fn json_field<'a>(row: &'a Value<'_>, name: &str, cause: Cause) -> Result<Cow<'a, Value<'a>>, Refusal> {
    let refused = |error| Refusal::new(cause, error);
    let read = field(row, name, "a JSON list or its text", |value| match value {
        Value::Str(text) => Some(json::parse(text.as_bytes()).map(Cow::Owned)),
        Value::List(_) => Some(Ok(Cow::Borrowed(value))),
        _ => None,
    });
    read?.map_err(refused)
}

fn calls(answers: &Value<'_>) -> Result<Vec<Call>, Refusal> {
    let refused = |found: &Value<'_>| Refusal::new(Cause::Answers, tools::brief(found));
    let call = |item: &Value<'_>| {
        let name = tools::text(item.get("name")?)?;
        Some(tools::call(&name, item.get("arguments")?.as_object()?))
    };
    let items = list(answers).ok_or_else(|| refused(answers))?;
    items.iter().map(|item| call(item).ok_or_else(|| refused(item))).collect()
}
