//! Lines of JSON.

use super::{Value, parse};
use crate::{Span, SyntaxError};

/// A line and the value that fills it.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// The line.
    pub span: Span,
    /// What stands on it.
    pub value: Value<'a>,
}

/// The lines of a text, split at `\n` alone, each of which must be one JSON value.
///
/// ```
/// let values: Vec<_> = toolrl_grammar::json::lines(b"1\nx\n[2]").map(|line| line.is_ok()).collect();
/// assert_eq!(values, [true, false, true]);
/// ```
pub fn lines(text: &[u8]) -> impl Iterator<Item = Result<Line<'_>, SyntaxError>> {
    text.split(|&byte| byte == b'\n').map(|line| {
        let span = Span::within(text, line);
        match parse(line) {
            Ok(value) => Ok(Line { span, value }),
            Err(error) => Err(SyntaxError { span: error.span.shifted(span.start), ..error }),
        }
    })
}
