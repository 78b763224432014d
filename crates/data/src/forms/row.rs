//! A row and its fields.

use std::path::Path;

use toolrl_grammar::json::{Object, PyStr, Unicode, Value};
use toolrl_grammar::{SyntaxError, WriteError};

use super::{Form, Notes, Turns};
use crate::{DataError, Place};

/// A row of a file, where it stands, and what is noted as it is read.
pub(crate) struct Row<'a> {
    pub(crate) path: &'a Path,
    pub(crate) at: Place,
    /// Its position in the file, from 0.
    pub(crate) index: usize,
    /// What opens the ids of samples that bring none: the file's name.
    pub(crate) stem: &'a str,
    pub(crate) value: &'a Value<'static>,
    pub(crate) notes: &'a Notes,
    /// Which replies of a dialogue are samples.
    pub(crate) turns: Turns,
}

impl Row<'_> {
    /// The row and its form.
    ///
    /// # Errors
    /// [`DataError::NoForm`], or [`DataError::Field`] for what is no object.
    pub(crate) fn formed(self) -> Result<(Self, Form), DataError> {
        let form = Form::of(&self)?;
        Ok((self, form))
    }

    /// The fields.
    pub(super) fn object(&self) -> Result<&Object<'static>, DataError> {
        self.value.as_object().ok_or_else(|| self.error("row", "an object", self.value))
    }

    /// The names of its fields, for errors.
    pub(super) fn names(&self) -> String {
        let names = self.value.as_object().into_iter().flat_map(Object::keys).take(12);
        names.map(|name| name.lossy()).collect::<Vec<_>>().join(", ")
    }

    /// The id of a row that brings none.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.stem, self.index)
    }

    /// What stands at a dotted path, unless it is missing or null.
    pub(super) fn optional(&self, field: &str) -> Option<&Value<'static>> {
        let found = field.split('.').try_fold(self.value, |value, name| match value {
            Value::List(items) => items.get(name.parse::<usize>().ok()?),
            other => other.get(name),
        })?;
        (!matches!(found, Value::Null)).then_some(found)
    }

    /// What stands at a dotted path, if that is more than nothing: a text, list or object that is not empty.
    pub(super) fn filled(&self, field: &str) -> Option<&Value<'static>> {
        self.optional(field).filter(|value| !value.is_empty())
    }

    pub(super) fn error(&self, field: &str, expected: &'static str, found: &Value<'_>) -> DataError {
        self.expected(field, expected, brief(found))
    }

    /// A reply that cannot be a gold one.
    pub(super) fn no_gold(&self, field: &str, why: &WriteError) -> DataError {
        self.expected(field, "a reply whose parts hold no tag of ToolRL's", why.to_string())
    }

    /// A text that has calls which cannot be read.
    pub(super) fn no_calls(&self, field: &str, why: &SyntaxError) -> DataError {
        self.expected(field, "calls that can be read", why.to_string())
    }

    /// An entry of `metadata`, which is a text.
    pub(super) fn metadata(&self, name: &str) -> Option<String> {
        let entry = self.optional("metadata")?.get(name)?;
        Some(String::from_utf8_lossy(entry.as_bytes()?).into_owned())
    }

    pub(super) fn expected(&self, field: &str, expected: &'static str, found: String) -> DataError {
        DataError::Field { path: self.path.into(), at: self.at, field: field.to_owned(), expected, found }
    }

    /// A field that would change the prompt or the gold reply, and is not read.
    pub(super) fn refuse(&self, field: &str, remedy: &'static str) -> DataError {
        DataError::Unread { path: self.path.into(), at: self.at, field: field.to_owned(), remedy }
    }
}

/// The value in a few words, for errors.
fn brief(value: &Value<'_>) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Object(fields) if fields.is_empty() => "an object with no fields".to_owned(),
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().take(6).map(PyStr::lossy).collect();
            format!("an object with {}", names.join(", "))
        }
        Value::Str(text) => format!("{:?}", text.lossy().chars().take(40).collect::<String>()),
        other => Unicode(other).to_string().chars().take(40).collect(),
    }
}
