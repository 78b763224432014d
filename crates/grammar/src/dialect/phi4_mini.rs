//! Phi-4-mini: a list behind a word.
//!
//! ```text
//! functools[{"name": "f", "arguments": {…}}]
//! ```

use super::native::Native;
use super::productions::{Found, Keys, list, list_text, literal};
use crate::fault::Parse;

/// Phi-4-mini's dialect.
pub static PHI4_MINI: Native = Native {
    name: "phi4_mini",
    marks: &["functools["],
    block,
    calls: |calls| format!("functools{}", list_text(KEYS, calls)),
    join: "\n",
    ends: &["<|end|>", "<|endoftext|>"],
    ..Native::COMMON
};

const KEYS: Keys = Keys { arguments: &["arguments", "parameters"], idle: &[], ids: false };

/// `block = "functools" calls`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal("functools", input)?;
    list(KEYS, rest, calls)
}
