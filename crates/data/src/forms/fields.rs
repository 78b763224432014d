//! Fields that a form has not: passed over and counted, or refused.

use toolrl_grammar::json::Value;

use super::{Row, RowForm, notes, tools};
use crate::DataError;

const TEXT_ALONE: &str = "only text is read, so leave such rows out";
const NOT_OF_FORM: &str =
    "rows of this form have it elsewhere (docs/data.md), so move it there or take it out";
const OF_RECIPE: &str = "a chat template's variables are settings of a run, so take it out";

/// Fields that would change the prompt, in whatever form they stand, and what to do about one that is not read.
pub(super) const CHANGES_PROMPT: [(&str, &str); 15] = [
    ("system", NOT_OF_FORM),
    ("history", NOT_OF_FORM),
    ("instruction", NOT_OF_FORM),
    ("input", NOT_OF_FORM),
    ("messages", NOT_OF_FORM),
    ("conversations", NOT_OF_FORM),
    ("image", TEXT_ALONE),
    ("images", TEXT_ALONE),
    ("video", TEXT_ALONE),
    ("videos", TEXT_ALONE),
    ("audio", TEXT_ALONE),
    ("audios", TEXT_ALONE),
    ("multi_modal_data", TEXT_ALONE),
    ("documents", OF_RECIPE),
    ("chat_template_kwargs", OF_RECIPE),
];

/// Fields that are known to say nothing of prompt or gold reply.
const IDLE: [&str; 4] = ["data_source", "ability", "agent_name", "metadata"];

/// Whether a field of a row, or of a message, would change the prompt where it is read. No form passes over such a field.
pub fn changes_prompt(field: &str) -> bool {
    tools::FIELDS.contains(&field) || CHANGES_PROMPT.iter().any(|(name, _)| *name == field)
}

impl RowForm {
    /// Notes the fields that the form has not, and refuses those that would change the prompt.
    pub(super) fn check_fields(&self, row: &Row<'_>) -> Result<(), DataError> {
        let known = |name: &str| self.fields.contains(&name) || tools::FIELDS.contains(&name);
        for (name, value) in row.object()? {
            let name = name.lossy();
            if matches!(value, Value::Null) || value.is_empty() || IDLE.contains(&name.as_ref()) {
                continue;
            }
            if known(&name) {
                notes::count(&row.notes.read, &name);
                continue;
            }
            match CHANGES_PROMPT.iter().find(|(field, _)| *field == name) {
                Some((_, remedy)) => return Err(row.refuse(&name, remedy)),
                None => notes::count(&row.notes.passed_over, &name),
            }
        }
        Ok(())
    }
}
