//! LFM2: a list of calls as Python writes them, between marks.
//!
//! ```text
//! <|tool_call_start|>[f(a="x")]<|tool_call_end|>I look it up.
//! ```
//!
//! Words stand behind the calls.

use super::native::{Native, Words};
use super::productions::{Found, literal, python_list, python_list_text};
use crate::fault::Parse;
use crate::tags::Tags;

/// LFM2's dialect.
pub static LFM2: Native = Native {
    name: "lfm2",
    marks: &[TAGS.open],
    block,
    calls: |calls| format!("{}{}{}", TAGS.open, python_list_text(calls), TAGS.close),
    words: Words::Behind,
    ends: &["<|im_end|>"],
    ..Native::COMMON
};

const TAGS: Tags = Tags { open: "<|tool_call_start|>", close: "<|tool_call_end|>" };

/// `block = "<|tool_call_start|>" calls "<|tool_call_end|>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal(TAGS.open, input)?;
    let (rest, ()) = python_list(rest, calls)?;
    literal(TAGS.close, rest)
}
