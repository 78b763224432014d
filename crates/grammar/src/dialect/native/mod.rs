//! What models' own dialects have in common: thoughts, then words, then calls.

mod read;
mod reading;
mod strict;
mod write;

use super::productions::Block;
use super::{Dialect, Layout, Parsed, WriteError};
use crate::tags::{THINK, Tags};
use crate::{Call, ReplyKind, SyntaxError, Turn, text};

pub(super) use reading::Reading;
pub(super) use strict::strict;
pub(super) use write::checked;

/// A dialect of the common form.
///
/// ```text
/// <think> thoughts </think> words calls end
/// ```
///
/// Each part may be missing. Thoughts that the template has opened begin with the text: they are what stands
/// before the first closing tag, as servers read them. Calls begin at a mark, wherever in the words it
/// stands, or without one where the words would begin. Text behind calls is at fault, as servers drop it.
///
/// A text that ends in the beginning of a mark is cut off. One that begins with another dialect's mark, and
/// has none of this one, is foreign.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    pub(super) name: &'static str,
    pub(super) thoughts: Thoughts,
    /// What opens calls; all begin with the same byte.
    pub(super) marks: &'static [&'static str],
    /// Whether a text begins with calls that no mark opens.
    pub(super) bare: fn(&[u8]) -> bool,
    /// Reads a block of calls, from its mark on.
    pub(super) block: Block,
    /// Writes all calls.
    pub(super) calls: fn(&[Call<'_>]) -> String,
    /// What stands between words and calls.
    pub(super) join: &'static str,
    pub(super) words: Words,
    pub(super) types: Types,
    pub(super) ends: &'static [&'static str],
}

/// How thoughts are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thoughts {
    /// The tags around them.
    pub tags: Tags,
    /// What stands between a tag and the thoughts.
    pub inner: &'static str,
    /// What follows the closing tag.
    pub after: &'static str,
}

/// Where words stand that are written beside calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// Before the calls.
    Before,
    /// Behind them; read on either side.
    Behind,
}

/// Whether values keep their types in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types {
    /// A string differs from a number.
    Kept,
    /// All values are read as strings.
    Lost,
}

impl Thoughts {
    /// As Qwen3 writes them.
    pub(super) const LINES: Self = Self { tags: THINK, inner: "\n", after: "\n\n" };
    /// As DeepSeek-V3.1 and Kimi-K2 write them.
    pub(super) const TIGHT: Self = Self { tags: THINK, inner: "", after: "" };
}

impl Native {
    /// What most have.
    pub(super) const COMMON: Self = Self {
        name: "",
        thoughts: Thoughts::LINES,
        marks: &[],
        bare: |_| false,
        block: |input, _| Ok((input, ())),
        calls: |_| String::new(),
        join: "",
        words: Words::Before,
        types: Types::Kept,
        ends: &[],
    };

    /// Where the first mark stands.
    fn mark(&self, text: &[u8]) -> Option<usize> {
        let first = self.marks.first()?.as_bytes()[0];
        memchr::memchr_iter(first, text).find(|&at| self.is_marked(&text[at..]))
    }

    fn is_marked(&self, text: &[u8]) -> bool {
        self.marks.iter().any(|mark| text.starts_with(mark.as_bytes()))
    }

    /// The mark that a text ends in the beginning of, and where. A mark that begins as a word does is only
    /// taken to have begun where it begins a line.
    fn begun(&self, text: &[u8]) -> Option<(usize, &'static str)> {
        let first = self.marks.first()?.as_bytes()[0];
        let begins_line = |at: usize| at == 0 || text[at - 1] == b'\n';
        let at =
            memchr::memrchr(first, text).filter(|&at| !first.is_ascii_alphanumeric() || begins_line(at))?;
        let mark = self.marks.iter().find(|mark| mark.as_bytes().starts_with(&text[at..]))?;
        Some((at, mark))
    }

    /// The text without the token that ends a turn.
    fn without_end<'a>(&self, whole: &'a [u8]) -> &'a [u8] {
        let whole = text::strip(whole);
        self.ends.iter().find_map(|end| whole.strip_suffix(end.as_bytes())).map_or(whole, text::strip)
    }
}

impl Dialect for Native {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parse<'a>(&'a self, text: &'a [u8]) -> Parsed<'a> {
        read::parse(self, text)
    }

    fn strict(&self, text: &[u8], kind: ReplyKind) -> Result<Layout, SyntaxError> {
        strict(&self.parse(text), kind)
    }

    fn write(&self, turn: &Turn<'_>) -> Result<String, WriteError> {
        checked(self, turn, write::text(self, turn))
    }

    fn thoughts_opening(&self) -> Option<&'static str> {
        Some(self.thoughts.tags.open)
    }

    fn marks(&self) -> &'static [&'static str] {
        self.marks
    }

    fn turn_ends(&self) -> &'static [&'static str] {
        self.ends
    }

    fn keeps_types(&self) -> bool {
        self.types == Types::Kept
    }
}
