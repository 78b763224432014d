//! Llama-3.2 and ToolACE: a list of calls as Python writes them.
//!
//! ```text
//! [f(a='x', n=1), Get Weather(city="Rome")]
//! ```
//!
//! It may follow `<|python_tag|>`, and does behind words. Names may hold spaces and more ([`crate::pythonic`]).

use super::native::Native;
use super::productions::{Found, literal, opens_list, python_list, python_list_text};
use crate::fault::Parse;

/// The dialect of lists of calls.
pub static PYTHONIC: Native = Native {
    name: "pythonic",
    marks: &[MARK],
    bare: opens_list,
    block,
    calls: python_list_text,
    join: MARK,
    ends: &["<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"],
    ..Native::COMMON
};

const MARK: &str = "<|python_tag|>";

/// `block = ["<|python_tag|>"] calls`
fn block<'a>(input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let rest = literal(MARK, input).map_or(input, |(rest, ())| rest);
    python_list(rest, calls)
}
