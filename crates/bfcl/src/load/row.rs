//! A line of a file, and its fields.

use std::path::Path;

use toolrl_grammar::json::{self, Object, Value};

use crate::BfclError;

/// A line of a file.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub path: &'a Path,
    /// Counted from 1.
    pub line: usize,
    pub value: &'a Value<'static>,
}

/// The lines of a file with their numbers, empty ones left out.
pub(super) fn rows(path: &Path) -> Result<Vec<(usize, Value<'static>)>, BfclError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BfclError::Missing { path: path.into(), source },
        _ => BfclError::Io { path: path.into(), source },
    })?;
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    filled
        .map(|(index, line)| match json::parse(line) {
            Ok(value) => Ok((index + 1, value.into_owned())),
            Err(source) => Err(BfclError::Json { path: path.into(), line: index + 1, source }),
        })
        .collect()
}

impl<'a> Row<'a> {
    /// A field of text.
    pub fn text(&self, field: &str) -> Result<String, BfclError> {
        self.as_text(field, self.value.get(field))
    }

    /// A field of a part of the row, which must be text.
    pub fn text_in(&self, part: &str, value: &Value<'_>, field: &str) -> Result<String, BfclError> {
        self.as_text(&format!("{part}.{field}"), value.get(field))
    }

    /// A value that must be text.
    pub fn as_text(&self, field: &str, value: Option<&Value<'_>>) -> Result<String, BfclError> {
        match value {
            Some(Value::Str(text)) => Ok(text.lossy().into_owned()),
            other => Err(self.unexpected(field, "a string", other)),
        }
    }

    /// A field that holds a list.
    pub fn list(&self, field: &str) -> Result<&'a [Value<'static>], BfclError> {
        match self.value.get(field) {
            Some(Value::List(items)) => Ok(items),
            other => Err(self.unexpected(field, "a list", other)),
        }
    }

    /// A value that must be a list.
    pub fn items<'v>(
        &self,
        field: &str,
        value: &'v Value<'static>,
    ) -> Result<&'v [Value<'static>], BfclError> {
        match value {
            Value::List(items) => Ok(items),
            other => Err(self.unexpected(field, "a list", Some(other))),
        }
    }

    /// A value that must be an object.
    pub fn object<'v>(
        &self,
        field: &str,
        value: Option<&'v Value<'static>>,
    ) -> Result<&'v Object<'static>, BfclError> {
        match value {
            Some(Value::Object(entries)) => Ok(entries),
            other => Err(self.unexpected(field, "an object", other)),
        }
    }

    /// The error of a field that is not what it should be.
    pub fn unexpected(&self, field: &str, expected: &'static str, found: Option<&Value<'_>>) -> BfclError {
        let (path, line, field) = (self.path.into(), self.line, field.into());
        BfclError::Field { path, line, field, expected, found: Value::described(found) }
    }
}
