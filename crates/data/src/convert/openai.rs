//! Samples as rows of OpenAI's chat form.

use std::path::Path;

use serde_json::{Value, json};
use toolrl_grammar::Turn;
use toolrl_grammar::json::{self, Entries, Unicode};

use super::{Converted, LeftOut};
use crate::forms::{Form, Notes, Row};
use crate::{Gold, Message, Place, Sample, Turns};

/// Each sample as `{id, messages, tools, metadata}`, from which [`load`](crate::load()) reads the same sample. The gold
/// reply is the last message, the others weigh 0; arguments are the JSON of an object, as OpenAI has them. Thoughts are
/// `reasoning_content`. A gold reply that these fields cannot say to the byte is its text.
pub fn openai_rows(samples: &[Sample]) -> Converted<Value> {
    samples.iter().map(row).collect()
}

fn row(sample: &Sample) -> Result<Value, LeftOut> {
    let says_all = Gold::of(sample.gold.turn().clone()).is_ok_and(|gold| gold == sample.gold);
    let structured = says_all.then(|| with_reply(sample, reply(sample.gold.turn())));
    let as_text = || with_reply(sample, json!({"role": "assistant", "content": sample.gold.text()}));
    let row = structured.filter(|row| reads_as(row, sample)).unwrap_or_else(as_text);
    if reads_as(&row, sample) {
        return Ok(row);
    }
    let reason = "it would be read back as another sample".to_owned();
    Err(LeftOut { id: sample.id.clone(), reason })
}

/// The row with this gold reply.
fn with_reply(sample: &Sample, reply: Value) -> Value {
    let mut messages: Vec<_> = sample.messages.iter().map(given).collect();
    messages.push(reply);
    let metadata = json!({"kind": sample.kind, "unseen_tools": sample.unseen_tools.to_string()});
    let mut row = json!({"id": sample.id, "messages": messages});
    if !sample.tools.is_empty() {
        row["tools"] = sample.tools.clone().into();
    }
    row["metadata"] = metadata;
    row
}

/// A message of the prompt: one of the assistant's is none to learn.
fn given(message: &Message) -> Value {
    let mut row = json!(message);
    if let Some(calls) = row.get_mut("tool_calls") {
        arguments_to_text(calls);
    }
    if message.role == "assistant" {
        row["weight"] = 0.into();
    }
    row
}

/// Makes the arguments of calls text.
fn arguments_to_text(calls: &mut Value) {
    for call in calls.as_array_mut().into_iter().flatten() {
        if let Some(arguments) =
            call.pointer_mut("/function/arguments").filter(|arguments| arguments.is_object())
        {
            let compact = arguments.to_string();
            // As Python writes it: a template that prints the text shows it as it shows the object.
            let text =
                json::parse(&compact).map_or_else(|_| compact.clone(), |value| Unicode(&value).to_string());
            *arguments = text.into();
        }
    }
}

/// A turn as a message.
fn reply(turn: &Turn<'_>) -> Value {
    let words = turn.response.as_ref().map(|words| words.text.lossy().into_owned());
    let mut row = json!({"role": "assistant", "content": words});
    if let Some(thoughts) = &turn.thoughts {
        row["reasoning_content"] = thoughts.text.lossy().into_owned().into();
    }
    let call = |(number, call): (usize, &toolrl_grammar::Call<'_>)| {
        let function = json!({"name": call.name.lossy(), "arguments": Entries(&call.arguments).to_string()});
        json!({"id": format!("call_{number}"), "type": "function", "function": function})
    };
    let calls: Vec<_> = turn.calls.iter().enumerate().map(call).collect();
    if !calls.is_empty() {
        row["tool_calls"] = calls.into();
    }
    row
}

/// Whether a row is read as this sample.
fn reads_as(row: &Value, sample: &Sample) -> bool {
    let text = row.to_string();
    let Ok(value) = json::parse(&text) else { return false };
    let (value, notes) = (value.into_owned(), Notes::default());
    let at = Place::Row(1);
    let row =
        Row { path: Path::new(""), at, index: 0, stem: "", value: &value, notes: &notes, turns: Turns::Each };
    Form::Openai.read(&row).is_ok_and(|read| read == [sample.clone()])
}
