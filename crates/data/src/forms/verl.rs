//! verl's rows: a prompt of messages, and what its reply is scored against.

use toolrl_grammar::json::{PyInt, Value};

use super::{Form, Row, RowForm, message, tools};
use crate::{DataError, Gold, Message, Sample, TaskKind};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Verl,
    told_by: &[&["prompt"], &["reward_model"]],
    fields: &["prompt", "reward_model", "extra_info"],
    read,
};

/// `{prompt, tools, reward_model: {ground_truth}, extra_info}`, texts as they stand.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let reward_model = row.optional("reward_model").unwrap_or(&Value::Null);
    let reward_model =
        row.json("reward_model", "an object with `ground_truth`, or its JSON", reward_model)?;
    let truth = reward_model.get("ground_truth").unwrap_or(&Value::Null);
    let gold = Gold::from(row.text_of("reward_model.ground_truth", truth)?.into_owned());
    let kind = kind(row).unwrap_or_else(|| TaskKind::of_gold(&gold));
    let unseen_tools = matches!(row.optional("extra_info.unseen_tools"), Some(Value::Bool(true)));
    let (id, messages, tools) = (id(row), messages(row)?, tools::tools(row)?);
    Ok(vec![Sample { id, messages, tools, gold, kind, unseen_tools }])
}

/// A list of messages, its JSON, or what the user says.
fn messages(row: &Row<'_>) -> Result<Vec<Message>, DataError> {
    match row.optional("prompt") {
        Some(text @ Value::Str(_)) => {
            let text = row.text_of("prompt", text)?;
            if message::are_messages(&text) {
                return message::messages(row, "prompt");
            }
            Ok(vec![Message::new("user", text)])
        }
        _ => message::messages(row, "prompt"),
    }
}

/// `extra_info` is the dataset's author's: its `id` names the sample, its `index` numbers it, where they can.
fn id(row: &Row<'_>) -> String {
    let word = |field| match row.optional(field)? {
        Value::Str(text) if !text.as_bytes().is_empty() => Some(text.lossy().into_owned()),
        Value::Int(PyInt::Small(number)) => Some(number.to_string()),
        _ => None,
    };
    let numbered = || word("extra_info.index").map(|index| format!("{}:{index}", row.stem));
    word("extra_info.id").or_else(numbered).unwrap_or_else(|| row.id())
}

/// The kind that our writers add; another's word of that name says nothing.
fn kind(row: &Row<'_>) -> Option<TaskKind> {
    TaskKind::from_name(std::str::from_utf8(row.optional("extra_info.kind")?.as_bytes()?).ok()?)
}
