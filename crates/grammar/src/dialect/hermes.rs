//! Hermes: Qwen2.5, Qwen3, SmolLM, Granite-4.
//!
//! ```text
//! <tool_call>
//! {"name": "f", "arguments": {…}}
//! </tool_call>
//! ```
//!
//! One block a call.

use super::native::Native;
use super::productions::{Found, Keys, literal, object, object_text};
use crate::Call;
use crate::fault::Parse;
use crate::tags::TOOL_CALL;

/// Hermes' dialect.
pub static HERMES: Native = Native {
    name: "hermes",
    marks: &[TOOL_CALL.open],
    block,
    calls: |calls| calls.iter().map(call_text).collect::<Vec<_>>().join("\n"),
    join: "\n",
    ends: &["<|im_end|>", "<|endoftext|>"],
    ..Native::COMMON
};

/// `block = "<tool_call>" call "</tool_call>"`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (rest, ()) = literal(TOOL_CALL.open, input)?;
    let (rest, call) = object(Keys::PLAIN, rest)?;
    calls.push(call);
    literal(TOOL_CALL.close, rest)
}

fn call_text(call: &Call<'_>) -> String {
    format!("{}\n{}\n{}", TOOL_CALL.open, object_text(Keys::PLAIN, call), TOOL_CALL.close)
}
