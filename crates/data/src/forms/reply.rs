//! An assistant's message: the gold reply that it is, and the message that it is to later turns.

use toolrl_grammar::dialect::{HERMES, PYTHONIC, XLAM};
use toolrl_grammar::json::{self, Object, Value};
use toolrl_grammar::{Call, Dialect, Outcome, ToolRl, Turn, TurnPart, pythonic, tags};

use super::{Row, call, message};
use crate::{DataError, Gold, Message};

/// Fields that hold thoughts, by model family.
pub(crate) const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// What the content of a message says.
enum Said {
    /// A whole reply in ToolRL's dialect.
    ToolRl(String),
    /// Thoughts, calls and words.
    Turn(Turn<'static>),
}

/// The gold reply: calls of `tool_calls` or of the content's text, thoughts of their field or of the text.
pub(super) fn gold(row: &Row<'_>, field: &str, value: &Value<'static>) -> Result<Gold, DataError> {
    let calls = call::exact(row, field, value)?;
    let content = message::content_of(row, field, value)?;
    let mut turn = match said(row, &format!("{field}.content"), &content, calls.is_empty())? {
        Said::ToolRl(text) => return Ok(Gold::from(text)),
        Said::Turn(turn) => turn,
    };
    if !calls.is_empty() {
        turn.calls = calls;
    }
    for name in THOUGHTS {
        if let Some(thoughts) = value.get(name).filter(|thoughts| !thoughts.is_empty()) {
            let thoughts = row.text_of(&format!("{field}.{name}"), thoughts)?;
            turn.thoughts.get_or_insert_with(|| thoughts.trim().to_owned().into());
        }
    }
    if turn.calls.is_empty() && turn.response.is_none() && turn.thoughts.is_none() {
        return Err(row.error(field, "a reply that says or calls something", &Value::Null));
    }
    Gold::of(turn).map_err(|source| row.no_gold(field, &source))
}

/// The message as later turns see it: calls that stand in its text are `tool_calls`.
pub(super) fn in_prompt(row: &Row<'_>, field: &str, value: &Value<'static>) -> Result<Message, DataError> {
    let mut message = message::message(row, field, value)?;
    message.fields.remove("weight");
    if message.role != "assistant" || message.tool_calls.is_some() {
        return Ok(message);
    }
    let at = format!("{field}.content");
    if let Said::Turn(turn) = said(row, &at, &message.content, true)?
        && !turn.calls.is_empty()
    {
        let words = turn.response.map(|words| words.text.lossy().into_owned()).unwrap_or_default();
        let thoughts = tags::THINK.first(message.content.as_bytes()).is_some();
        let thoughts = turn.thoughts.filter(|_| thoughts).map(|thoughts| thoughts.text.lossy().into_owned());
        let content = match thoughts {
            Some(thoughts) => format!("<think>\n{thoughts}\n</think>\n\n{words}").trim_end().to_owned(),
            None => words,
        };
        let calls = call::of_text(row, &at, &turn.calls)?;
        let said = Message { fields: message.fields, ..Message::new(message.role, content) };
        return Ok(said.with_tool_calls(calls));
    }
    Ok(message)
}

/// Reads a text. Calls are looked for where the message has no others.
fn said(row: &Row<'_>, field: &str, text: &str, with_calls: bool) -> Result<Said, DataError> {
    let bytes = text.as_bytes();
    let marked = tags::has(bytes, tags::TOOL_CALL.open) || tags::has(bytes, tags::RESPONSE.open);
    if marked && with_calls && ToolRl.parse(bytes).outcome == Outcome::Whole {
        return Ok(Said::ToolRl(text.to_owned()));
    }
    if bytes.trim_ascii().is_empty() {
        return Ok(Said::Turn(Turn::default()));
    }
    if let Some(turn) = with_calls.then(|| python_calls(text)).flatten() {
        return Ok(Said::Turn(turn));
    }
    for dialect in [&XLAM, &PYTHONIC] {
        let parsed = dialect.parse(bytes);
        if !with_calls || parsed.turn.calls.is_empty() {
            continue;
        }
        if let Some(error) = parsed.faults_of(TurnPart::Calls).next() {
            return Err(row.no_calls(field, error));
        }
        return Ok(Said::Turn(parsed.turn.into_owned()));
    }
    let parsed = HERMES.parse(bytes);
    if let Some(error) = parsed.faults_of(TurnPart::Calls).next().filter(|_| with_calls) {
        return Err(row.no_calls(field, error));
    }
    Ok(Said::Turn(parsed.turn.into_owned()))
}

/// Hermes' blocks whose calls are Python's dictionaries, as its own dataset has them.
fn python_calls(text: &str) -> Option<Turn<'static>> {
    let begins = |block: &str| {
        block.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('\''))
    };
    let (before, _) = text.split_once(tags::TOOL_CALL.open)?;
    let blocks: Vec<_> = tags::TOOL_CALL.each(text.as_bytes()).map(String::from_utf8_lossy).collect();
    if !blocks.iter().all(|block| begins(block)) {
        return None;
    }
    let calls = blocks.iter().map(|block| python_call(block)).collect::<Option<Vec<_>>>()?;
    let mut turn = if before.trim().is_empty() {
        Turn::default()
    } else {
        HERMES.parse(before.as_bytes()).turn.into_owned()
    };
    turn.calls = calls;
    Some(turn)
}

/// A dictionary of Python with `name` and `arguments`.
fn python_call(block: &str) -> Option<Call<'static>> {
    let wrapped = format!("[call(value={})]", block.trim());
    let read = pythonic::parse(&wrapped).ok()?;
    let value = read.first()?.arguments.get(&b"value"[..])?.clone().into_owned();
    let Value::Str(name) = value.get("name")?.clone() else { return None };
    let arguments: Object<'static> = match value.get("arguments")? {
        Value::Object(arguments) => arguments.clone(),
        Value::Str(text) => json::parse(text.as_bytes()).ok()?.into_owned().as_object()?.clone(),
        _ => return None,
    };
    Some(Call::new(name, arguments))
}
