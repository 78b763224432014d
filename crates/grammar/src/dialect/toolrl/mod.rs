//! ToolRL's dialect: thoughts, then tool calls or a response or both.
//!
//! ```text
//! <think> … </think>
//! <tool_call>
//! {"name": …, "parameters": {…}}
//! </tool_call>
//! <response> … </response>
//! ```
//!
//! Parts do not nest: a tag that another part mentions opens nothing. The paper's released code reads
//! otherwise; what it takes for calls is [`lenient()`].

mod read;
mod released;
mod strict;
mod write;

use super::{Dialect, Layout, Parsed, WriteError};
use crate::{ReplyKind, SyntaxError, Turn, tags};

pub use read::plain_call;
pub use released::{Block, lenient};
pub use strict::strict;
pub use write::{call_line, text};

/// ToolRL's dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolRl;

impl Dialect for ToolRl {
    fn name(&self) -> &'static str {
        "toolrl"
    }

    fn parse<'a>(&'a self, text: &'a [u8]) -> Parsed<'a> {
        read::parse(self, text)
    }

    fn strict(&self, text: &[u8], kind: ReplyKind) -> Result<Layout, SyntaxError> {
        strict(text, kind)
    }

    fn write(&self, turn: &Turn<'_>) -> Result<String, WriteError> {
        write::write(turn)
    }

    fn thoughts_opening(&self) -> Option<&'static str> {
        Some(tags::THINK.open)
    }

    fn marks(&self) -> &'static [&'static str] {
        &[tags::TOOL_CALL.open]
    }

    fn turn_ends(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Reads a reply in ToolRL's dialect.
///
/// ```
/// let parsed = toolrl_grammar::parse("<think> hm <tool_call>\n{\"name\": }\n</tool_call>");
/// let faults: Vec<_> = parsed.faults.iter().map(|fault| fault.error.to_string()).collect();
/// assert_eq!(faults, ["</think> is missing (bytes 0..7)", "expected a JSON value (bytes 32..33)"]);
/// ```
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Parsed<'_> {
    ToolRl.parse(text.as_ref())
}
