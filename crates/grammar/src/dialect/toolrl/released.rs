//! What the paper's released code takes for calls, and for the kind of a reply.

use crate::json::{self, Line};
use crate::tags::{self, RESPONSE, TOOL_CALL};
use crate::{ReplyKind, Span, SyntaxError, text};

/// The block of calls that the released code finds.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// Its lines, tags and outer white space left out.
    pub span: Span,
    /// Whether `</tool_call>` stands anywhere in the text, be it before the block.
    pub has_closing_tag: bool,
    /// The value of each line, or what is wrong with the first that is no JSON.
    pub calls: Result<Vec<Line<'a>>, SyntaxError>,
}

/// Reads the block of calls as the released code does: from the first `<tool_call>`, wherever it stands, to
/// the next tag of its kind, opening or closing, or to the end; stripped; each line, split at `\n` alone, one
/// JSON value. `None` without `<tool_call>`.
///
/// An empty block, and a blank line inside one, are errors of [`Block::calls`].
///
/// ```
/// let block = toolrl_grammar::lenient("so: <tool_call> {\"name\": \"f\"}\r\n[1]</tool_call>").unwrap();
/// assert_eq!(block.calls.unwrap().len(), 2);
/// ```
pub fn lenient<T: AsRef<[u8]> + ?Sized>(text: &T) -> Option<Block<'_>> {
    let text = text.as_ref();
    let opened = tags::after(text, TOOL_CALL.open)?;
    let inner = tags::before(tags::before(opened, TOOL_CALL.close), TOOL_CALL.open);
    let lines = text::strip(inner);
    let span = Span::within(text, lines);
    // The search for the closing tag in front of the block is for texts that lack one behind it.
    let has_closing_tag = tags::has(opened, TOOL_CALL.close) || tags::has(text, TOOL_CALL.close);
    let shifted = |inner: Span| inner.shifted(span.start);
    let calls = json::lines(lines).map(|line| match line {
        Ok(line) => Ok(Line { span: shifted(line.span), ..line }),
        Err(error) => Err(SyntaxError { span: shifted(error.span), ..error }),
    });
    Some(Block { span, has_closing_tag, calls: calls.collect() })
}

impl ReplyKind {
    /// The kind that a reference reply of ToolRL asks for, as the released code has it: which opening tags
    /// stand anywhere in it, its thoughts included.
    pub fn of(reference: impl AsRef<[u8]>) -> Self {
        let reference = reference.as_ref();
        Self::with(tags::has(reference, TOOL_CALL.open), tags::has(reference, RESPONSE.open))
    }
}
