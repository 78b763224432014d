//! Harmony: gpt-oss. A reply is a run of messages, each on a channel.
//!
//! ```text
//! <|channel|>analysis<|message|>thoughts<|end|>
//! <|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{…}<|call|>
//! <|start|>assistant<|channel|>final<|message|>words<|return|>
//! ```
//!
//! The recipient may stand before the channel too, as chat templates write it. Words beside calls are commentary to
//! nobody. The token that ends the turn, `<|call|>` or `<|return|>`, need not be there: of the last message only
//! thoughts can be seen to be cut off, and calls by their JSON.

mod read;
mod write;

use super::native::{checked, strict};
use super::{Dialect, Layout, Parsed, WriteError};
use crate::{ReplyKind, SyntaxError, Turn};

/// Harmony.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harmony;

const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
const START: &str = "<|start|>assistant";
const CONSTRAIN: &str = "<|constrain|>";
const END: &str = "<|end|>";
const CALL: &str = "<|call|>";
const RETURN: &str = "<|return|>";

impl Dialect for Harmony {
    fn name(&self) -> &'static str {
        "harmony"
    }

    fn parse<'a>(&'a self, text: &'a [u8]) -> Parsed<'a> {
        read::parse(self, text)
    }

    fn strict(&self, text: &[u8], kind: ReplyKind) -> Result<Layout, SyntaxError> {
        strict(&self.parse(text), kind)
    }

    fn write(&self, turn: &Turn<'_>) -> Result<String, WriteError> {
        checked(self, turn, write::text(turn))
    }

    fn thoughts_opening(&self) -> Option<&'static str> {
        Some("<|channel|>analysis<|message|>")
    }

    fn marks(&self) -> &'static [&'static str] {
        &[CHANNEL]
    }

    fn turn_ends(&self) -> &'static [&'static str] {
        &[CALL, RETURN]
    }
}
