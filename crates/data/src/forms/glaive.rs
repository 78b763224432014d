//! Glaive's function calling: a whole dialogue in one text, its tools in another.

use toolrl_grammar::json::{self, Object, Value};

use super::dialogue::{Dialogue, Spoken, saying};
use super::{Form, Row, RowForm, notes, tools};
use crate::{DataError, Sample};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Glaive,
    told_by: &[&["chat"], &["system"]],
    fields: &["chat", "system", "id"],
    read,
};

/// Who speaks, by what opens a turn.
const SPEAKERS: [(&str, &str); 3] =
    [("USER:", "user"), ("ASSISTANT:", "assistant"), ("FUNCTION RESPONSE:", "tool")];
const CALL: &str = "<functioncall>";
const END: &str = "<|endoftext|>";

/// What introduces the functions in a system text; the chat template lists them.
const INTRODUCTION: &str = "You are a helpful assistant with access to the following functions.";

/// `{system, chat}`.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let (system, chat) = (row.text("system")?, row.text("chat")?);
    let system = system.trim().strip_prefix("SYSTEM:").unwrap_or(&system).trim();
    let (before, from) = system.split_at(system.find('{').unwrap_or(system.len()));
    let (listed, after) = tools::in_text(row, "system", from)?;
    if !listed.is_empty() {
        notes::increase(&row.notes.system_lists);
    }
    let before = if before.starts_with(INTRODUCTION) { "" } else { before };
    let said = format!("{}\n{}", before.trim_end(), after).trim().to_owned();
    let mut spoken = Vec::new();
    if !said.is_empty() {
        spoken.push(Spoken { field: "system".to_owned(), value: saying("system", &said) });
    }
    for (role, text) in turns(row, &chat)? {
        let value = match text.split_once(CALL) {
            Some((words, call)) if role == "assistant" => calling(words.trim(), call).ok_or_else(|| {
                row.error("chat", "a call behind <functioncall>", &Value::str(call.to_owned()))
            })?,
            _ => saying(role, text),
        };
        spoken.push(Spoken { field: "chat".to_owned(), value });
    }
    Dialogue { spoken, tools: listed, given: 0 }.samples(row)
}

/// The turns of a dialogue: each begins a line with its speaker.
fn turns<'c>(row: &Row<'_>, chat: &'c str) -> Result<Vec<(&'static str, &'c str)>, DataError> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in chat.split_inclusive('\n') {
        let text = line.trim_start();
        if let Some((opening, role)) = SPEAKERS.iter().find(|(opening, _)| text.starts_with(opening)) {
            starts.push((at, at + line.len() - text.len() + opening.len(), *role));
        }
        at += line.len();
    }
    if starts.first().is_none_or(|(start, ..)| !chat[..*start].trim().is_empty()) {
        return Err(row.error(
            "chat",
            "turns that begin with USER:, ASSISTANT: or FUNCTION RESPONSE:",
            &Value::str(chat.to_owned()),
        ));
    }
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([chat.len()]);
    let turn = |((_, start, role), end): (&(usize, usize, &'static str), usize)| {
        let text = chat[*start..end].trim();
        (*role, text.strip_suffix(END).unwrap_or(text).trim())
    };
    Ok(starts.iter().zip(ends).map(turn).collect())
}

/// A message that calls: `{"name": "f", "arguments": '{"a": 1}'}`, whose arguments stand in single quotes, or as JSON has
/// them.
fn calling(words: &str, call: &str) -> Option<Value<'static>> {
    let call = call.trim();
    let read = json::parse(call).ok().map(Value::into_owned).or_else(|| single_quoted(call))?;
    let mut message = Object::default();
    message.insert("role".into(), Value::str("assistant"));
    message.insert("content".into(), Value::str(words.to_owned()));
    message.insert("tool_calls".into(), Value::List(vec![read]));
    Some(Value::Object(message))
}

/// A call whose arguments stand between the first and the last single quote.
fn single_quoted(call: &str) -> Option<Value<'static>> {
    let (before, rest) = call.split_once('\'')?;
    let (arguments, after) = rest.rsplit_once('\'')?;
    let mut call = json::parse(&format!("{before}{{}}{after}")).ok()?.into_owned().as_object()?.clone();
    let arguments = json::parse(arguments)
        .or_else(|_| json::parse(&arguments.replace("\\'", "'")).map(Value::into_owned));
    call.insert("arguments".into(), arguments.ok()?.into_owned());
    Some(Value::Object(call))
}
