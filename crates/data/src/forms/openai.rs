//! OpenAI's chat form: dialogues of messages with their tools.

use super::dialogue::{Dialogue, Spoken, saying};
use super::{Form, Row, RowForm, message, tools};
use crate::{DataError, Sample};

pub(super) const FORM: RowForm =
    RowForm { form: Form::Openai, told_by: &[&["messages"]], fields: &["messages", "system", "id"], read };

/// `{messages, tools}`; a `system` beside them says what the first message would.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let messages = message::list(row, "messages")?.into_iter().enumerate();
    let spoken = messages.map(|(index, value)| Spoken { field: format!("messages.{index}"), value });
    let mut spoken: Vec<_> = spoken.collect();
    if row.filled("system").is_some() {
        if spoken.iter().any(|spoken| spoken.is_by("system")) {
            return Err(row.refuse("system", "`messages` has a system message too, so take one of them out"));
        }
        spoken
            .insert(0, Spoken { field: "system".to_owned(), value: saying("system", &row.text("system")?) });
    }
    Dialogue { spoken, tools: tools::tools(row)?, given: 0 }.samples(row)
}
