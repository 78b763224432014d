//! ToolACE: dialogues with their tools in the system text and calls in pythonic form.

use toolrl_grammar::json::Value;
use toolrl_grammar::pythonic;

use super::cause::{Cause, Refusal};
use super::read::{Conversation, field, list, text};
use super::step::{Call, Tool, Turn};
use super::tools;

/// The fields of a row.
pub(super) const FIELDS: &[&str] = &["system", "conversations", "id"];

/// Reads a row `{system, conversations: [{from, value}]}`.
pub(super) fn conversation(row: &Value<'_>) -> Result<Conversation, Refusal> {
    let system = field(row, "system", "a string", text)?;
    let turns = field(row, "conversations", "a list of turns", list)?;
    let tools = tools::tools_in_text(&system)?;
    let mut dialogue: Vec<Turn> = Vec::with_capacity(turns.len());
    let mut steps = Vec::new();
    let mut broken = false;
    for turn in turns {
        let from = field(turn, "from", "who speaks in a turn", text)?;
        let value = field(turn, "value", "the text of a turn", text)?;
        let (from, value) = (from.as_ref(), value.trim());
        let read = match from {
            "user" => Ok(Turn::User(value.to_owned())),
            "tool" => observation(value, dialogue.last()),
            "assistant" => reply(value, dialogue.last(), &tools),
            other => return Err(Refusal::new(Cause::Speaker, other)),
        };
        let is_reply = from == "assistant";
        if is_reply {
            let step = match &read {
                _ if broken => Err(Refusal::new(Cause::Follows, "")),
                Ok(_) => Ok(dialogue.len()),
                Err(refusal) => Err(refusal.clone()),
            };
            steps.push(step);
        }
        broken |= read.is_err();
        // What could not be read still has its place, so that the turns after it are told right.
        dialogue.push(read.unwrap_or_else(|_| stand_in(from)));
    }
    if steps.is_empty() {
        return Err(Refusal::new(Cause::NoReply, format!("{} turns", dialogue.len())));
    }
    Ok(Conversation { tools, dialogue, steps })
}

fn stand_in(from: &str) -> Turn {
    if from == "tool" { Turn::Observation(String::new()) } else { Turn::Calls(Vec::new()) }
}

fn observation(value: &str, before: Option<&Turn>) -> Result<Turn, Refusal> {
    match before {
        Some(Turn::Calls(_) | Turn::Observation(_)) => Ok(Turn::Observation(value.to_owned())),
        _ => Err(Refusal::new(Cause::OutOfTurn, "a result without a call")),
    }
}

/// A reply: what begins with `[` must be a list of calls, anything else is an answer.
fn reply(value: &str, before: Option<&Turn>, tools: &[Tool]) -> Result<Turn, Refusal> {
    if !matches!(before, Some(Turn::User(_) | Turn::Observation(_))) {
        return Err(Refusal::new(Cause::OutOfTurn, "a reply without a request or a result before it"));
    }
    if value.is_empty() {
        return Err(Refusal::new(Cause::Empty, ""));
    }
    if !value.starts_with('[') {
        return Ok(Turn::Response(value.to_owned()));
    }
    let calls = calls(value)?;
    tools::check(&calls, tools)?;
    Ok(Turn::Calls(calls))
}

fn calls(value: &str) -> Result<Vec<Call>, Refusal> {
    let calls = pythonic::parse(value).map_err(|error| Refusal::new(Cause::Calls, error))?;
    if calls.is_empty() {
        return Err(Refusal::new(Cause::Calls, "the list is empty"));
    }
    if let Some(call) = calls.iter().find(|call| !call.positional.is_empty()) {
        let detail = format!("{}: an argument without its parameter's name", call.name.lossy());
        return Err(Refusal::new(Cause::Calls, detail));
    }
    Ok(calls.iter().map(|call| tools::call(&call.name.lossy(), &call.arguments)).collect())
}
