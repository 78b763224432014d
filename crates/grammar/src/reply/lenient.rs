//! The lenient reading: the first block of calls, wherever it stands.

use super::tags::{self, THINK, THINK_END, TOOL_CALL, TOOL_CALL_END};
use crate::json::{self, Value};
use crate::{Span, SyntaxError, text};

/// One line of a block: a call, where it is an object with `name` and `parameters`, but the lenient
/// reading takes any JSON value.
#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    /// The line.
    pub span: Span,
    /// What stands on it.
    pub value: Value<'a>,
}

/// The block of calls that the lenient reading finds.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// Its lines, tags and outer white space left out.
    pub span: Span,
    /// Whether `</tool_call>` stands anywhere in the text, be it before the block.
    pub has_closing_tag: bool,
    /// The value of each line, or what is wrong with the first that is no JSON.
    pub calls: Result<Vec<ToolCall<'a>>, SyntaxError>,
}

/// Reads the block of calls as the released code does: from the first `<tool_call>` to the next tag
/// of its kind, opening or closing, or to the end; stripped; each line, split at `\n` alone, one
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
    let opened = tags::after(text, TOOL_CALL)?;
    let inner = tags::before(tags::before(opened, TOOL_CALL_END), TOOL_CALL);
    let lines = text::strip(inner);
    let span = Span::within(text, lines);
    // The search for the closing tag in front of the block is for texts that lack one behind it.
    let has_closing_tag = tags::has(opened, TOOL_CALL_END) || tags::has(text, TOOL_CALL_END);
    Some(Block { span, has_closing_tag, calls: calls(lines, span.start) })
}

/// `calls = value {"\n" value}`
fn calls(lines: &[u8], offset: usize) -> Result<Vec<ToolCall<'_>>, SyntaxError> {
    let mut calls = Vec::new();
    for line in lines.split(|&byte| byte == b'\n') {
        let span = Span::within(lines, line).shifted(offset);
        let value = json::parse(line)
            .map_err(|error| SyntaxError { span: error.span.shifted(span.start), ..error })?;
        calls.push(ToolCall { span, value });
    }
    Ok(calls)
}

/// The thoughts that the released code measures: from the last `<think>` to the next `</think>`, or
/// to the end. `None` unless both tags stand somewhere in the text.
pub fn last_thoughts<T: AsRef<[u8]> + ?Sized>(text: &T) -> Option<Span> {
    let text = text.as_ref();
    let start = memchr::memmem::rfind(text, THINK.as_bytes())? + THINK.len();
    let thoughts = tags::before(&text[start..], THINK_END);
    tags::has(text, THINK_END).then(|| Span::within(text, thoughts))
}
