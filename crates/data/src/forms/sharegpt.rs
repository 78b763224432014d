//! ShareGPT's form and what was made of it: Hermes' function calling, LLaMA-Factory's roles, APIGen-MT.

use toolrl_grammar::json::{Object, Value};
use toolrl_grammar::tags::Tags;

use super::dialogue::{Dialogue, Spoken, entries, saying};
use super::{Form, Row, RowForm, notes, tools};
use crate::{DataError, Sample};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Sharegpt,
    told_by: &[&["conversations"]],
    fields: &["conversations", "system", "id"],
    read,
};

const TOOLS: Tags = Tags { open: "<tools>", close: "</tools>" };
const RESULT: Tags = Tags { open: "<tool_response>", close: "</tool_response>" };

/// What opens the system text of Hermes' function calling, which lists the tools and says how to call them.
const HERMES_PROMPT: &str = "You are a function calling AI model";

/// `{conversations: [{from, value}], system, tools}`. Tools stand in their column or, in `<tools>`, in the system text.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let mut listed = tools::tools(row)?;
    let mut spoken = Vec::new();
    if row.filled("system").is_some() {
        let system = row.text("system")?;
        spoken.push(Spoken { field: "system".to_owned(), value: saying("system", &system) });
    }
    let turns = row.optional("conversations").unwrap_or(&Value::Null);
    let Value::List(turns) = turns else {
        return Err(row.error("conversations", "a list of turns", turns));
    };
    for (index, turn) in turns.iter().enumerate() {
        add(row, &format!("conversations.{index}"), turn, &mut spoken)?;
    }
    if let Some(first) = spoken.first()
        && let Some((system, in_text)) = tools_of_system(row, first)?
    {
        if listed.is_empty() {
            listed = in_text;
        }
        notes::increase(&row.notes.system_lists);
        match system {
            Some(system) => spoken[0].value = saying("system", &system),
            None => {
                spoken.remove(0);
            }
        }
    }
    Dialogue { spoken, tools: listed, given: 0 }.samples(row)
}

/// A turn as messages of OpenAI's form: several where a tool's turn holds several results.
fn add(row: &Row<'_>, field: &str, turn: &Value<'static>, spoken: &mut Vec<Spoken>) -> Result<(), DataError> {
    let get = |names: [&str; 2]| names.into_iter().find_map(|name| turn.get(name)).unwrap_or(&Value::Null);
    let (from, value) = (get(["from", "role"]), get(["value", "content"]));
    let from = row.text_of(&format!("{field}.from"), from)?;
    let mut message = entries(turn);
    ["from", "value", "role", "content"].iter().for_each(|name| {
        message.shift_remove(name.as_bytes());
    });
    let field = format!("{field}.value");
    let mut push = |role: &'static str, name: &'static str, value: Value<'static>| {
        let said: Object<'static> =
            [("role".into(), Value::str(role)), (name.into(), value)].into_iter().collect();
        let value = Value::Object(said.into_iter().chain(message.clone()).collect());
        spoken.push(Spoken { field: field.clone(), value });
    };
    match from.as_ref() {
        "system" => push("system", "content", value.clone()),
        "human" | "user" => push("user", "content", value.clone()),
        "gpt" | "assistant" | "model" | "chatgpt" => push("assistant", "content", value.clone()),
        "function_call" | "tool_call" => {
            let calls = row.json(&field, "a call, or a list of calls, as JSON", value)?.into_owned();
            let calls = if matches!(calls, Value::List(_)) { calls } else { Value::List(vec![calls]) };
            push("assistant", "tool_calls", calls);
        }
        "tool" | "observation" | "function_response" | "function" => {
            let text = row.text_of(&field, value)?;
            let results: Vec<_> =
                RESULT.each(text.as_bytes()).map(|one| String::from_utf8_lossy(one)).collect();
            if results.is_empty() {
                push("tool", "content", value.clone());
            }
            results.iter().for_each(|one| push("tool", "content", Value::str(one.trim().to_owned())));
        }
        other => {
            const EXPECTED: &str = "system, human, gpt, function_call, observation or tool";
            return Err(row.error(
                &field.replace(".value", ".from"),
                EXPECTED,
                &Value::str(other.to_owned()),
            ));
        }
    }
    Ok(())
}

/// What the system says without its list of tools, and that list. Of Hermes' own prompt nothing is left: the chat
/// template lists the tools and says how to call them.
#[expect(clippy::type_complexity, reason = "what is left and what was taken")]
fn tools_of_system(
    row: &Row<'_>,
    first: &Spoken,
) -> Result<Option<(Option<String>, Vec<serde_json::Value>)>, DataError> {
    if !first.is_by("system") {
        return Ok(None);
    }
    let text = row.text_of(&first.field, first.value.get("content").unwrap_or(&Value::Null))?;
    // The prompt names the tags before it has the list in them.
    let is_hermes = text.trim_start().starts_with(HERMES_PROMPT);
    let inside =
        text.rsplit_once(TOOLS.open).and_then(|(before, rest)| Some((before, rest.split_once(TOOLS.close)?)));
    let Some((before, (list, after))) = inside.filter(|(_, (list, _))| is_hermes || !list.trim().is_empty())
    else {
        return Ok(None);
    };
    let tools = tools::of_text(row, &first.field, list)?;
    let rest = format!("{}\n{}", before.trim_end(), after.trim_start()).trim().to_owned();
    let rest = (!is_hermes).then_some(rest);
    Ok(Some((rest.filter(|rest| !rest.is_empty()), tools)))
}
