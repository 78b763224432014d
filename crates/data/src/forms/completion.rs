//! TRL's form: a prompt and its completion, as texts or as messages.

use toolrl_grammar::json::Value;

use super::dialogue::{Dialogue, Spoken, saying};
use super::{Form, Row, RowForm, message, tools};
use crate::{DataError, Sample};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Completion,
    told_by: &[&["prompt"], &["completion"]],
    fields: &["prompt", "completion", "id"],
    read,
};

/// `{prompt, completion, tools}`: what the user says and the reply, or a list of messages each. Only the completion's
/// replies are learnt.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let mut spoken = side(row, "prompt", "user")?;
    let given = spoken.len();
    spoken.extend(side(row, "completion", "assistant")?);
    Dialogue { spoken, tools: tools::tools(row)?, given }.samples(row)
}

/// The messages of one side; a text is one of `role`.
fn side(row: &Row<'_>, field: &str, role: &'static str) -> Result<Vec<Spoken>, DataError> {
    if let Some(found @ Value::Str(_)) = row.optional(field) {
        let text = row.text_of(field, found)?;
        if !message::are_messages(&text) {
            return Ok(vec![Spoken { field: field.to_owned(), value: saying(role, &text) }]);
        }
    }
    let messages = message::list(row, field)?.into_iter().enumerate();
    Ok(messages.map(|(index, value)| Spoken { field: format!("{field}.{index}"), value }).collect())
}
