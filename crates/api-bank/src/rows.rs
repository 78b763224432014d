//! Rows that ask for a score, a line of JSON each, and the lines that answer them.

use toolrl_grammar::json::{self, Object, PyInt, PyStr, Value};

use crate::score::score_calls;
use crate::{ApiBankError, Case, Level, Reply, Score};

/// A row: a reply to a case, as `level`, `id` (the case's place in its level) and `raw_output`.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    level: i64,
    index: i64,
    raw_output: PyStr<'a>,
}

impl<'a> Row<'a> {
    /// Reads a row.
    ///
    /// # Errors
    /// [`ApiBankError::RowSyntax`] for what is no JSON, [`ApiBankError::RowField`] for a field that
    /// is missing or of another type.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(line: &'a T) -> Result<Self, ApiBankError> {
        let mut row = match json::parse(line).map_err(ApiBankError::RowSyntax)? {
            Value::Object(entries) => entries,
            other => return Err(unexpected("row", "an object", Some(&other))),
        };
        let whole = |field: &'static str| match row.get(field.as_bytes()) {
            Some(Value::Int(PyInt::Small(number))) => Ok(*number),
            other => Err(unexpected(field, "a whole number", other)),
        };
        let (level, index) = (whole("level")?, whole("id")?);
        match row.swap_remove(&b"raw_output"[..]) {
            Some(Value::Str(raw_output)) => Ok(Self { level, index, raw_output }),
            other => Err(unexpected("raw_output", "a string", other.as_ref())),
        }
    }

    /// The line that answers the row: `level`, `id`, `score` by the released matching and `hard` by
    /// hard match (both 0 or 1), `n_tool_calls` and `thought`.
    ///
    /// # Errors
    /// [`ApiBankError::UnknownCase`].
    pub fn scored(&self, cases: &[Case]) -> Result<Value<'static>, ApiBankError> {
        let is_this = |case: &&Case| {
            Level::of(self.level) == Some(case.level) && usize::try_from(self.index) == Ok(case.index)
        };
        let unknown =
            || ApiBankError::UnknownCase { level: self.level, index: self.index, loaded: cases.len() };
        let case = cases.iter().find(is_this).ok_or_else(unknown)?;
        let reply = Reply::parse(self.raw_output.as_bytes());
        let score = score_calls(&reply.calls, &case.answer);
        let number = |number: i64| Value::Int(PyInt::Small(number));
        let entries = [
            ("level", number(self.level)),
            ("id", number(self.index)),
            ("score", number(score.by(Score::Released).into())),
            ("hard", number(score.by(Score::Hard).into())),
            ("n_tool_calls", number(i64::try_from(reply.calls.len()).unwrap_or(i64::MAX))),
            ("thought", Value::Str(PyStr(reply.thought.into()).into_owned())),
        ];
        Ok(Value::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<Object<'_>>()))
    }
}

fn unexpected(field: &'static str, expected: &'static str, found: Option<&Value<'_>>) -> ApiBankError {
    ApiBankError::RowField { field, expected, found: Value::described(found) }
}
