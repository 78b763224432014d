//! Forms of rows: what people keep samples in. One file each, told apart by the fields that a row has.

mod call;
mod completion;
mod dialogue;
mod fields;
mod glaive;
mod instruction;
mod message;
mod notes;
mod openai;
mod reply;
mod row;
mod sharegpt;
mod tools;
mod value;
mod verl;
mod xlam;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DataError, Sample};

pub use fields::changes_prompt;
pub(crate) use notes::Notes;
pub use notes::Reading;
pub(crate) use reply::THOUGHTS;
pub(crate) use row::Row;

/// A form of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Form {
    /// `{instruction, input, output}`: system message, user message and gold reply.
    Instruction,
    /// The same fields with `system` or `history`: `instruction` and `input` are the user's message.
    Alpaca,
    /// `{prompt, reward_model: {ground_truth}, extra_info}`, as verl has it.
    Verl,
    /// `{messages, tools}`: OpenAI's chat.
    Openai,
    /// `{conversations: [{from, value}], system, tools}`: ShareGPT's, Hermes', LLaMA-Factory's, APIGen-MT's.
    Sharegpt,
    /// `{system, chat}`: Glaive's function calling.
    Glaive,
    /// `{prompt, completion, tools}`: TRL's, texts or messages.
    Completion,
    /// `{query, tools, answers}`: xLAM's.
    Xlam,
}

/// Which replies of a dialogue are samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// Each of the assistant's, with the turns before it as its prompt.
    #[default]
    Each,
    /// The last message of the dialogue alone.
    Last,
}

/// How rows of a form are told and read.
struct RowForm {
    form: Form,
    /// A row of this form fills one field of each of these.
    told_by: &'static [&'static [&'static str]],
    /// The fields that are read.
    fields: &'static [&'static str],
    /// The samples of a row.
    read: fn(&Row<'_>) -> Result<Vec<Sample>, DataError>,
}

/// The forms, in the order in which they are tried.
const FORMS: [RowForm; 8] = [
    verl::FORM,
    completion::FORM,
    openai::FORM,
    sharegpt::FORM,
    glaive::FORM,
    xlam::FORM,
    instruction::ALPACA,
    instruction::FORM,
];

impl Form {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instruction => "instruction",
            Self::Alpaca => "alpaca",
            Self::Verl => "verl",
            Self::Openai => "openai",
            Self::Sharegpt => "sharegpt",
            Self::Glaive => "glaive",
            Self::Completion => "completion",
            Self::Xlam => "xlam",
        }
    }

    /// The form that a row has.
    ///
    /// # Errors
    /// [`DataError::NoForm`], which says what each form lacks.
    pub(crate) fn of(row: &Row<'_>) -> Result<Self, DataError> {
        row.object()?;
        let fitting = FORMS.iter().find(|form| form.lacking(row).is_none());
        fitting.map(|form| form.form).ok_or_else(|| {
            let tried = FORMS.iter().map(|form| {
                let lacking = form.lacking(row).unwrap_or_default();
                let lacking: Vec<_> = lacking.iter().map(|field| format!("`{field}`")).collect();
                format!("{} lacks {}", form.form, lacking.join(" or "))
            });
            let tried = tried.collect::<Vec<_>>().join("; ");
            DataError::NoForm { path: row.path.into(), at: row.at, fields: row.names(), tried }
        })
    }

    /// The samples of a row of this form.
    ///
    /// # Errors
    /// [`DataError`] with the path, the row and the field.
    pub(crate) fn read(self, row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
        let Some(form) = FORMS.iter().find(|form| form.form == self) else {
            return Ok(Vec::new());
        };
        form.check_fields(row)?;
        (form.read)(row)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RowForm {
    /// Fields of which a row fills none, though it would have to fill one.
    fn lacking(&self, row: &Row<'_>) -> Option<&'static [&'static str]> {
        let fills = |fields: &&[&str]| fields.iter().any(|field| row.optional(field).is_some());
        self.told_by.iter().find(|fields| !fills(fields)).copied()
    }
}
