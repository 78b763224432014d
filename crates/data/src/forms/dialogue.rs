//! Dialogues: each reply of the assistant is a sample, with the turns before it as its prompt.

use toolrl_grammar::json::{Object, PyInt, Value};

use super::{Row, Turns, notes, reply};
use crate::{DataError, Gold, Message, Sample, TaskKind};

/// A dialogue in OpenAI's form, which every form of dialogues is translated into.
pub(super) struct Dialogue {
    /// What was said, in order.
    pub(super) spoken: Vec<Spoken>,
    /// The tools that the chat template lists.
    pub(super) tools: Vec<serde_json::Value>,
    /// How many of the first messages are the prompt's, whoever speaks.
    pub(super) given: usize,
}

/// A message in OpenAI's form, and the field of the row that it stands in.
pub(super) struct Spoken {
    pub(super) field: String,
    pub(super) value: Value<'static>,
}

/// A message that says a text.
pub(super) fn saying(role: &'static str, content: &str) -> Value<'static> {
    let entries = [("role", Value::str(role)), ("content", Value::str(content.to_owned()))];
    Value::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

impl Dialogue {
    /// The samples of a row, by [`Row::turns`].
    pub(super) fn samples(self, row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
        let mut history = Vec::new();
        let mut replies: Vec<(Vec<Message>, Gold)> = Vec::new();
        let last = self.spoken.len().saturating_sub(1);
        for (index, spoken) in self.spoken.iter().enumerate() {
            let wanted = index >= self.given && (row.turns == Turns::Each || index == last);
            if wanted && spoken.is_learnt() {
                let gold = reply::gold(row, &spoken.field, &spoken.value)?;
                if answers(&history) {
                    replies.push((history.clone(), gold));
                } else {
                    notes::increase(&row.notes.unprompted);
                }
            }
            if index < last {
                history.push(reply::in_prompt(row, &spoken.field, &spoken.value)?);
            }
        }
        if replies.is_empty() {
            let first = self.spoken.first().map_or("row", |spoken| spoken.field.as_str());
            let list = first.split('.').next().unwrap_or_default();
            return Err(row.error(list, "an assistant's turn to learn, after someone else's", &Value::Null));
        }
        Ok(self.named(row, replies))
    }

    /// Samples of these replies, with ids.
    fn named(self, row: &Row<'_>, replies: Vec<(Vec<Message>, Gold)>) -> Vec<Sample> {
        let single = replies.len() == 1;
        let sample = |(number, (messages, gold)): (usize, (Vec<Message>, Gold))| {
            let id = word(row.optional("id"), row.stem).unwrap_or_else(|| row.id());
            let id = if single { id } else { format!("{id}.{number}") };
            let kind = row.metadata("kind").and_then(|kind| TaskKind::from_name(&kind));
            let kind = kind.unwrap_or_else(|| kind_after(&messages, &gold));
            let unseen_tools = row.metadata("unseen_tools").is_some_and(|flag| flag == "true");
            Sample { id, messages, tools: self.tools.clone(), gold, kind, unseen_tools }
        };
        replies.into_iter().enumerate().map(sample).collect()
    }
}

impl Spoken {
    /// Whether this role says it.
    pub(super) fn is_by(&self, role: &str) -> bool {
        self.value.get("role").and_then(Value::as_bytes) == Some(role.as_bytes())
    }

    /// Whether it is a reply that may be learnt: OpenAI's `weight` 0 says that one is not.
    fn is_learnt(&self) -> bool {
        let weightless = match self.value.get("weight") {
            Some(Value::Int(PyInt::Small(weight))) => *weight == 0,
            Some(Value::Float(weight)) => *weight == 0.0,
            _ => false,
        };
        self.is_by("assistant") && !weightless
    }
}

/// Whether a reply after these messages answers something: a request, a result or the system's words.
fn answers(history: &[Message]) -> bool {
    history.last().is_some_and(|last| last.role != "assistant")
}

/// A row's own id: a word, or a number after the file's name.
pub(super) fn word(id: Option<&Value<'static>>, stem: &str) -> Option<String> {
    match id? {
        Value::Str(text) if !text.as_bytes().is_empty() => Some(text.lossy().into_owned()),
        Value::Int(PyInt::Small(number)) => Some(format!("{stem}:{number}")),
        _ => None,
    }
}

/// What a reply asks for: calls after an earlier reply are [`TaskKind::History`].
fn kind_after(prompt: &[Message], gold: &Gold) -> TaskKind {
    let later = prompt.iter().any(|message| message.role == "assistant");
    match TaskKind::of_gold(gold) {
        TaskKind::OneCall | TaskKind::SeveralCalls if later => TaskKind::History,
        kind => kind,
    }
}

/// The entries of a message, without those that are null.
pub(super) fn entries(value: &Value<'static>) -> Object<'static> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter(|(_, value)| !matches!(value, Value::Null)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
