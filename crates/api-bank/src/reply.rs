//! A reply as the released evaluation reads it.

use toolrl_grammar::json::{self, Value};
use toolrl_grammar::tags::{self, THINK, TOOL_CALL, Tags};
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
        let lines = json::lines(between(text, TOOL_CALL)).flatten();
        Self { thought: between(text, THINK), calls: lines.map(|line| line.value).collect() }
    }
}

fn between(text: &[u8], tags: Tags) -> &[u8] {
    let opened = tags::after_last(text, tags.open).unwrap_or(text);
    text::strip(tags::before(opened, tags.close))
}
