//! A reply that was read.

use std::fmt;

use super::Dialect;
use crate::{SyntaxError, Turn};

/// A reply that was read, with the text it was read from.
#[derive(Clone, Debug)]
pub struct Parsed<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The dialect that it was read in.
    pub dialect: &'a dyn Dialect,
    /// What it means, as far as it can be read.
    pub turn: Turn<'a>,
    /// Whether it is a reply of this dialect.
    pub outcome: Outcome,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What a text is to a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A reply of it, to the end.
    Whole,
    /// The beginning of one, cut off.
    Incomplete,
    /// One that is broken at this byte.
    Malformed {
        /// Offset of the first byte at fault.
        at: usize,
    },
    /// No reply of it: nothing that marks one stands there.
    Foreign,
}

/// Something that is wrong with a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The part at fault.
    pub part: TurnPart,
    /// What is wrong, and where.
    pub error: SyntaxError,
}

/// A part of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnPart {
    /// The thoughts.
    Thoughts,
    /// The calls.
    Calls,
    /// The response.
    Response,
}

impl Parsed<'_> {
    /// What is wrong with a part.
    pub fn faults_of(&self, part: TurnPart) -> impl Iterator<Item = &SyntaxError> {
        self.faults.iter().filter(move |fault| fault.part == part).map(|fault| &fault.error)
    }
}

impl fmt::Display for TurnPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thoughts => "thoughts",
            Self::Calls => "calls",
            Self::Response => "words of the response",
        })
    }
}
