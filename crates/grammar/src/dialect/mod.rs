//! Dialects: how models write what their replies mean. One file each.
//!
//! A dialect is chosen, never guessed: each answers for itself whether a text is of it, cut off or
//! malformed ([`Outcome`]).

mod parsed;
pub mod toolrl;

use std::fmt;

use crate::{ReplyKind, Span, SyntaxError, Turn};

pub use parsed::{Fault, Outcome, Parsed, TurnPart};
pub use toolrl::ToolRl;

/// A way to write replies.
pub trait Dialect: Send + Sync + fmt::Debug {
    /// Its name in settings.
    fn name(&self) -> &'static str;

    /// Reads a reply, whatever its bytes, in time linear in them. What is missing or broken is listed in
    /// [`Parsed::faults`].
    fn parse<'a>(&'a self, text: &'a [u8]) -> Parsed<'a>;

    /// Reads `text` as a whole, well-formed reply with these parts.
    ///
    /// # Errors
    /// [`SyntaxError`] at the first piece that is not as it must be.
    fn strict(&self, text: &[u8], kind: ReplyKind) -> Result<Layout, SyntaxError>;

    /// Writes a reply. It is well-formed ([`Dialect::strict`]) and reads as the same turn, but for call ids
    /// where the dialect has none and white space around passages.
    ///
    /// # Errors
    /// [`WriteError`] for a turn that the dialect cannot say.
    fn write(&self, turn: &Turn<'_>) -> Result<String, WriteError>;

    /// What opens thoughts, where something does. A chat template may end its prompt with it; a reply then
    /// goes on from there.
    fn thoughts_opening(&self) -> Option<&'static str>;

    /// The text that ends a turn, where the dialect has one of its own beside the tokenizer's end of text.
    fn turn_end(&self) -> Option<&'static str>;
}

/// Every dialect.
pub const DIALECTS: [&dyn Dialect; 1] = [&ToolRl];

/// Where the parts of a well-formed reply stand, what marks them left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The thoughts.
    pub thoughts: Span,
    /// All calls together.
    pub tool_calls: Option<Span>,
    /// The response.
    pub response: Option<Span>,
}

/// Why a dialect cannot say a turn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Its replies always have thoughts, and the turn has none.
    #[error("a reply must have thoughts, and the turn has none")]
    NoThoughts,
    /// A part holds what marks parts.
    #[error("the {part} hold {tag}, which marks a part of the reply")]
    Tag {
        /// The part.
        part: TurnPart,
        /// What it holds.
        tag: &'static str,
    },
    /// A part holds a lone surrogate, which no UTF-8 text can.
    #[error("the {part} hold a character that is no text: a lone surrogate or a broken byte")]
    NotText {
        /// The part.
        part: TurnPart,
    },
}
