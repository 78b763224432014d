//! A row and its fields.

use std::borrow::Cow;
use std::path::Path;

use toolrl_grammar::json::{self, Object, PyInt, PyStr, Unicode, Value};
use toolrl_grammar::{SyntaxError, WriteError};

use super::{Form, Notes, Turns, notes};
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

    /// The text at a dotted path.
    pub(super) fn text(&self, field: &str) -> Result<Cow<'_, str>, DataError> {
        let found = self.optional(field).unwrap_or(&Value::Null);
        self.text_of(field, found)
    }

    /// A string as text. Lone surrogates, which no UTF-8 can hold, become U+FFFD and are noted.
    pub(super) fn text_of<'v>(
        &self,
        field: &str,
        value: &'v Value<'static>,
    ) -> Result<Cow<'v, str>, DataError> {
        let Value::Str(text) = value else {
            return Err(self.error(field, "a string", value));
        };
        match (std::str::from_utf8(text.as_bytes()), without_surrogates(text)) {
            (Ok(text), _) => Ok(Cow::Borrowed(text)),
            (Err(_), Some(text)) => {
                notes::increase(&self.notes.surrogates);
                Ok(Cow::Owned(text))
            }
            (Err(error), None) => {
                let found = format!("binary data: bytes that are no UTF-8 at offset {}", error.valid_up_to());
                Err(self.expected(field, "a string", found))
            }
        }
    }

    /// A value that may stand as the text of its JSON.
    pub(super) fn json<'v>(
        &self,
        field: &str,
        expected: &'static str,
        value: &'v Value<'static>,
    ) -> Result<Cow<'v, Value<'static>>, DataError> {
        let Value::Str(_) = value else {
            return Ok(Cow::Borrowed(value));
        };
        let text = self.text_of(field, value)?;
        let read = json::parse(text.trim()).map_err(|_| self.error(field, expected, value))?;
        Ok(Cow::Owned(read.into_owned()))
    }

    /// A value for a chat template.
    ///
    /// # Errors
    /// [`DataError::Field`] for a number that the template's JSON cannot hold: one that is no number, or has more digits
    /// than 64 bits.
    pub(super) fn plain(&self, field: &str, value: &Value<'static>) -> Result<serde_json::Value, DataError> {
        Ok(match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Int(PyInt::Small(number)) => (*number).into(),
            Value::Int(PyInt::Big(digits)) => {
                let number: Result<u64, _> = digits.parse();
                number.map(Into::into).map_err(|_| self.error(field, "a number of 64 bits", value))?
            }
            Value::Float(number) => serde_json::Number::from_f64(*number)
                .map(Into::into)
                .ok_or_else(|| self.error(field, "a finite number", value))?,
            Value::Str(_) => self.text_of(field, value)?.into_owned().into(),
            Value::List(items) => {
                items.iter().map(|item| self.plain(field, item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Object(entries) => serde_json::Value::Object(self.plain_object(field, entries)?),
        })
    }

    /// As [`Row::plain`], of an object.
    pub(super) fn plain_object(
        &self,
        field: &str,
        entries: &Object<'static>,
    ) -> Result<serde_json::Map<String, serde_json::Value>, DataError> {
        let entry = |(key, value): (&PyStr<'static>, &Value<'static>)| {
            let key = key.lossy().into_owned();
            let value = self.plain(&format!("{field}.{key}"), value)?;
            Ok((key, value))
        };
        entries.iter().map(entry).collect()
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

    fn expected(&self, field: &str, expected: &'static str, found: String) -> DataError {
        DataError::Field { path: self.path.into(), at: self.at, field: field.to_owned(), expected, found }
    }

    /// A field that would change the prompt or the gold reply, and is not read.
    pub(super) fn refuse(&self, field: &str, remedy: &'static str) -> DataError {
        DataError::Unread { path: self.path.into(), at: self.at, field: field.to_owned(), remedy }
    }
}

/// The text with U+FFFD for lone surrogates; `None` where other bytes are no UTF-8.
fn without_surrogates(text: &PyStr<'_>) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len().saturating_sub(2) {
        if matches!(bytes[at..at + 3], [0xed, 0xa0..=0xbf, 0x80..=0xbf]) {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
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
