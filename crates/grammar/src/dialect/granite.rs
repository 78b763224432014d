//! Granite-3: a list behind a mark.
//!
//! ```text
//! <|tool_call|>[{"name": "f", "arguments": {…}}]
//! ```
//!
//! Granite-3.1 writes the mark `<tool_call>` in plain text, which is read too. Granite-4 writes Hermes.

use super::native::Native;
use super::productions::{Found, Keys, list, list_text, literal};
use crate::fault::Parse;

/// Granite's dialect.
pub static GRANITE: Native = Native {
    name: "granite",
    marks: &[MARK, PLAIN],
    block,
    calls: |calls| format!("{MARK}{}", list_text(Keys::PLAIN, calls)),
    ends: &["<|end_of_text|>"],
    ..Native::COMMON
};

const MARK: &str = "<|tool_call|>";
const PLAIN: &str = "<tool_call>";

/// `block = ("<|tool_call|>" | "<tool_call>") calls`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal(MARK, input).or_else(|_| literal(PLAIN, input))?;
    list(Keys::PLAIN, rest, calls)
}
