//! Samples as ToolRL's text: a system message with the tools, a user message with the dialogue so far.

use std::path::Path;

use minijinja::context;
use toolrl_grammar::dialect::toolrl;
use toolrl_grammar::json::{self, Object};
use toolrl_grammar::{Call, ToolRl, Turn};

use super::{Converted, LeftOut};
use crate::build::{CALL_THOUGHT, RESPONSE_THOUGHT, Renderer, listed_tools};
use crate::forms::THOUGHTS;
use crate::{DataError, Gold, Message, Sample};

/// The samples in ToolRL's text, their prompts by [`data build`](crate::build)'s template or another. Where a sample has
/// no `tools`, its prompt's text has them, and stays. What the system said comes before the template's words. Replies
/// without thoughts get the fixed ones of a build.
///
/// # Errors
/// [`DataError`] for a template that cannot be read or used.
pub fn in_toolrls_text(samples: &[Sample], prompt: Option<&Path>) -> Result<Converted<Sample>, DataError> {
    let renderer = Renderer::new(prompt)?;
    let mut converted = Converted { rows: Vec::new(), left_out: Vec::new() };
    for sample in samples {
        match listed_tools(&sample.tools) {
            Ok(tools) => match Gold::write(&with_thoughts(sample.gold.turn().clone()), &ToolRl) {
                Ok(gold) => {
                    let messages = if tools.is_empty() {
                        sample.messages.clone()
                    } else {
                        prompted(&renderer, tools, sample)?
                    };
                    converted.rows.push(Sample { messages, tools: Vec::new(), gold, ..sample.clone() });
                }
                Err(error) => converted.left_out.push(left_out(sample, error)),
            },
            Err(reason) => converted.left_out.push(left_out(sample, reason)),
        }
    }
    Ok(converted)
}

fn left_out(sample: &Sample, reason: impl ToString) -> LeftOut {
    LeftOut { id: sample.id.clone(), reason: reason.to_string() }
}

/// The prompt of a sample with these tools.
fn prompted(
    renderer: &Renderer,
    tools: Vec<minijinja::Value>,
    sample: &Sample,
) -> Result<Vec<Message>, DataError> {
    let is_system = |message: &&Message| message.role == "system";
    let dialogue = sample.messages.iter().filter(|message| !is_system(message)).map(turn_value).collect();
    let mut messages = renderer.messages(tools, dialogue)?;
    let said = sample.messages.iter().filter(is_system).map(|message| message.content.trim());
    let said: Vec<_> = said.filter(|said| !said.is_empty()).collect();
    if let Some(system) = messages.first_mut()
        && !said.is_empty()
    {
        system.content = format!("{}\n\n{}", said.join("\n\n"), system.content);
    }
    Ok(messages)
}

/// A turn as the template sees it.
fn turn_value(message: &Message) -> minijinja::Value {
    if message.role != "assistant" {
        let Message { role, content, .. } = message;
        return context! { role, content, thought => "", calls => "", response => "" };
    }
    let turn = with_thoughts(turn(message));
    let text = |passage: &Option<toolrl_grammar::Passage<'_>>| {
        passage.as_ref().map(|passage| passage.text.lossy().into_owned()).unwrap_or_default()
    };
    let calls = turn.calls.iter().map(toolrl::call_line).collect::<Vec<_>>().join("\n");
    let content = toolrl::text(&turn);
    context! { role => "assistant", content, thought => text(&turn.thoughts), calls, response => text(&turn.response) }
}

/// What an assistant's message means.
fn turn(message: &Message) -> Turn<'static> {
    let mut turn = match message.content.trim() {
        "" => Turn::default(),
        content => Gold::read(content, &toolrl_grammar::dialect::HERMES).turn().clone(),
    };
    let calls = message.tool_calls.iter().flat_map(|calls| calls.as_array()).flatten().filter_map(call);
    turn.calls.extend(calls);
    let field = |name| message.fields.get(name).and_then(serde_json::Value::as_str);
    if let Some(thoughts) = THOUGHTS.into_iter().find_map(field) {
        turn.thoughts.get_or_insert_with(|| thoughts.trim().to_owned().into());
    }
    turn
}

fn call(call: &serde_json::Value) -> Option<Call<'static>> {
    let function = call.get("function")?;
    let arguments = json::parse(&function.get("arguments")?.to_string()).ok()?.into_owned();
    let arguments: Object<'static> = arguments.as_object()?.clone();
    Some(Call::new(function.get("name")?.as_str()?.to_owned(), arguments))
}

/// The turn with a build's thoughts where it has none.
fn with_thoughts(mut turn: Turn<'static>) -> Turn<'static> {
    let fixed = if turn.calls.is_empty() { RESPONSE_THOUGHT } else { CALL_THOUGHT };
    turn.thoughts.get_or_insert_with(|| fixed.into());
    turn
}
