//! Values of a row's fields: texts, JSON in texts, and what a chat template can read.

use std::borrow::Cow;

use toolrl_grammar::json::{self, Object, PyInt, PyStr, Value};

use super::{Row, notes};
use crate::DataError;

impl Row<'_> {
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
