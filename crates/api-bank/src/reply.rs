//! A reply as the released evaluation reads it.

use memchr::memmem::{find, rfind};
use toolrl_grammar::json::{self, Value};
use toolrl_grammar::text;

/// A reply that was read. Every text has such a reading.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// What stands after the last `<think>`, up to the next `</think>`, stripped; of a text without
    /// the one, from its start, and without the other, to its end.
    pub thought: &'a [u8],
    /// The JSON values of the lines between the last `<tool_call>` and the next `</tool_call>`, in
    /// the same manner; lines that are not JSON are left out.
    pub calls: Vec<Value<'a>>,
}

impl<'a> Reply<'a> {
    /// Reads a reply.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &'a T) -> Self {
        let text = text.as_ref();
        let lines = between(text, b"<tool_call>", b"</tool_call>").split(|&byte| byte == b'\n');
        Self {
            thought: between(text, b"<think>", b"</think>"),
            calls: lines.filter_map(|line| json::parse(line).ok()).collect(),
        }
    }
}

fn between<'a>(text: &'a [u8], open: &[u8], close: &[u8]) -> &'a [u8] {
    let opened = rfind(text, open).map_or(text, |at| &text[at + open.len()..]);
    text::strip(&opened[..find(opened, close).unwrap_or(opened.len())])
}
