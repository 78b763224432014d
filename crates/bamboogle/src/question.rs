//! The questions.

use std::path::Path;

use toolrl_grammar::json::{self, Value};

use crate::BamboogleError;

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its place in the file, counted from 0.
    pub index: usize,
    /// The question.
    pub question: String,
    /// The answer that is right.
    pub answer: String,
}

/// Reads the questions: a JSON list of `{"Question": …, "Answer": …}`.
///
/// # Errors
/// [`BamboogleError`] with the path and question; a missing file's error says where it comes from.
pub fn load(path: &Path) -> Result<Vec<Question>, BamboogleError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BamboogleError::Missing { path: path.into(), source },
        _ => BamboogleError::Io { path: path.into(), source },
    })?;
    let file = json::parse(&bytes).map_err(|source| BamboogleError::Json { path: path.into(), source })?;
    let Value::List(rows) = &file else {
        return Err(field(path, 0, "file", "a list of questions", Some(&file)));
    };
    let question = |(index, row): (usize, &Value<'_>)| {
        let text = |name: &'static str| match row.get(name) {
            Some(Value::Str(text)) => Ok(text.lossy().into_owned()),
            other => Err(field(path, index, name, "a string", other)),
        };
        Ok(Question { index, question: text("Question")?, answer: text("Answer")? })
    };
    rows.iter().enumerate().map(question).collect()
}

fn field(
    path: &Path,
    index: usize,
    field: &'static str,
    expected: &'static str,
    found: Option<&Value<'_>>,
) -> BamboogleError {
    let found = found.map_or("nothing", Value::type_name).into();
    BamboogleError::Field { path: path.into(), index, field, expected, found }
}
