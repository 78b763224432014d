//! Llama-3.1 and 3.2: bare JSON.
//!
//! ```text
//! {"name": "f", "parameters": {…}}
//! ```
//!
//! It may follow `<|python_tag|>`, and does behind words. Several calls are parted by semicolons. A reply that begins with `{` is one of
//! calls; JSON in the middle of words is words.

use super::native::Native;
use super::productions::{Found, Keys, literal, object, object_text, space};
use crate::fault::Parse;

/// Llama's dialect of JSON.
pub static LLAMA3_JSON: Native = Native {
    name: "llama3_json",
    marks: &[MARK],
    bare: |text| text.starts_with(b"{"),
    block,
    calls: |calls| calls.iter().map(|call| object_text(KEYS, call)).collect::<Vec<_>>().join("; "),
    join: MARK,
    ends: &["<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"],
    ..Native::COMMON
};

const MARK: &str = "<|python_tag|>";

const KEYS: Keys = Keys { arguments: &["parameters", "arguments"], idle: &["type"], ids: false };

/// `block = ["<|python_tag|>"] call {";" call}`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let mut rest = literal(MARK, input).map_or(input, |(rest, ())| rest);
    loop {
        let (after, call) = object(KEYS, rest)?;
        calls.push(call);
        match space(after).split_first() {
            Some((b';', after)) => rest = after,
            _ => return Ok((after, ())),
        }
    }
}
