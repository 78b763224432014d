//! From a source's file to its steps, and what was refused of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use toolrl_grammar::json::{Unicode, Value};
use toolrl_grammar::{ReplyKind, strict};

use super::cause::{Cause, Refusal};
use super::report::{Example, Refused};
use super::step::{Step, Tool, Turn};
use super::{SourceConfig, SourceForm, toolace, xlam};
use crate::gold_check::fault;
use crate::{DataError, Place, changes_prompt, load};

/// A row as it was read.
pub(super) struct Conversation {
    pub(super) tools: Vec<Tool>,
    pub(super) dialogue: Vec<Turn>,
    /// The place in `dialogue` of each reply that can be learnt, or why it cannot.
    pub(super) steps: Vec<Result<usize, Refusal>>,
}

/// A source as it was read.
#[derive(Default)]
pub(super) struct ReadSource {
    /// The distinct steps, in the file's order, each with its [`Step::hash`].
    pub(super) steps: Vec<(u64, Step)>,
    pub(super) rows: usize,
    pub(super) rows_refused: usize,
    pub(super) replies: usize,
    pub(super) duplicates: usize,
    /// Fields that are not read, each with the number of rows that fill it.
    pub(super) passed_over: BTreeMap<String, usize>,
    refused: BTreeMap<Cause, Refused>,
}

impl ReadSource {
    /// Reads the whole source; `name` opens the ids.
    pub(super) fn of(source: &SourceConfig, name: &str) -> Result<Self, DataError> {
        let mut read = Self::default();
        let mut seen = HashSet::new();
        for (index, (place, row)) in load::rows(&source.file)?.into_iter().enumerate() {
            let fields = read.check_fields(&row, source.form);
            let conversation = fields.and_then(|()| match source.form {
                SourceForm::Toolace => toolace::conversation(&row),
                SourceForm::Xlam | SourceForm::Hammer => xlam::conversation(&row),
            });
            read.rows += 1;
            match conversation {
                Ok(conversation) => read.add(conversation, (index, place), name, &mut seen),
                Err(refusal) => {
                    read.rows_refused += 1;
                    read.refuse(refusal, place, None);
                }
            }
        }
        Ok(read)
    }

    /// What was refused, by cause.
    pub(super) fn refused(self) -> Vec<Refused> {
        self.refused.into_values().collect()
    }

    /// Counts fields that are not read; one that would change the prompt refuses its row.
    fn check_fields(&mut self, row: &Value<'_>, form: SourceForm) -> Result<(), Refusal> {
        let known = match form {
            SourceForm::Toolace => toolace::FIELDS,
            SourceForm::Xlam | SourceForm::Hammer => xlam::FIELDS,
        };
        for (name, value) in row.as_object().into_iter().flatten() {
            let name = name.lossy();
            if known.contains(&name.as_ref()) || matches!(value, Value::Null) || value.is_empty() {
                continue;
            }
            if changes_prompt(&name) {
                return Err(Refusal::new(Cause::Field, format!("field `{name}` would change the prompt")));
            }
            *self.passed_over.entry(name.into_owned()).or_insert(0) += 1;
        }
        Ok(())
    }

    /// Adds what a row holds; `at` is its position and its place.
    fn add(&mut self, conversation: Conversation, at: (usize, Place), name: &str, seen: &mut HashSet<u64>) {
        let (row, place) = at;
        let (tools, dialogue): (Arc<[_]>, Arc<[_]>) =
            (conversation.tools.into(), conversation.dialogue.into());
        let single = conversation.steps.len() == 1;
        for (number, step) in conversation.steps.into_iter().enumerate() {
            self.replies += 1;
            let step = step.and_then(|gold| {
                check_gold(&dialogue[gold])?;
                let id = if single { format!("{name}:{row}") } else { format!("{name}:{row}.{number}") };
                Ok(Step { id, row, tools: tools.clone(), dialogue: dialogue.clone(), gold, masked: false })
            });
            match step {
                Err(refusal) => self.refuse(refusal, place, Some(number + 1)),
                Ok(step) => {
                    let hash = step.hash();
                    if seen.insert(hash) {
                        self.steps.push((hash, step));
                    } else {
                        self.duplicates += 1;
                    }
                }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal, place: Place, reply: Option<usize>) {
        let refused = self.refused.entry(refusal.cause).or_insert_with(|| Refused::none(refusal.cause));
        refused.add(Example { place, reply, detail: refusal.detail });
    }
}

/// Refuses a gold reply that cannot be scored against or has not the format that a reply must have.
fn check_gold(gold: &Turn) -> Result<(), Refusal> {
    let text = gold.text();
    if let Some((_, reason)) = fault(&text) {
        return Err(Refusal::new(Cause::Gold, reason));
    }
    let kind = match gold {
        Turn::Calls(_) => ReplyKind::ToolCall,
        _ => ReplyKind::Response,
    };
    if ReplyKind::of(&text) != kind {
        return Err(Refusal::new(Cause::Gold, "the text holds a tag of another part"));
    }
    strict(&text, kind).map(|_| ()).map_err(|error| Refusal::new(Cause::Gold, error))
}

/// A field of a row, read by `read`.
pub(super) fn field<'a, 'v, T>(
    row: &'a Value<'v>,
    name: &str,
    expected: &str,
    read: impl FnOnce(&'a Value<'v>) -> Option<T>,
) -> Result<T, Refusal> {
    let found = row.get(name);
    found.and_then(read).ok_or_else(|| {
        let found =
            found.map_or("nothing".to_owned(), |value| Unicode(value).to_string().chars().take(40).collect());
        Refusal::new(Cause::Field, format!("field `{name}`: expected {expected}, found {found}"))
    })
}

/// A string as text.
pub(super) fn text<'a>(value: &'a Value<'_>) -> Option<Cow<'a, str>> {
    match value {
        Value::Str(text) => Some(text.lossy()),
        _ => None,
    }
}

/// A list's items.
pub(super) fn list<'a, 'v>(value: &'a Value<'v>) -> Option<&'a [Value<'v>]> {
    match value {
        Value::List(items) => Some(items),
        _ => None,
    }
}
