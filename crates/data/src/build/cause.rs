//! Why a row or a reply of a source became no sample.

use std::fmt;

use serde::Serialize;

/// Why a row, or one reply of a row, was not converted. It displays as a line of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// A field of the row is missing or holds something else.
    Field,
    /// No list of tools was found, or it is broken.
    Tools,
    /// Two different tools have one name.
    SameName,
    /// The calls of `answers` are no list of name and arguments.
    Answers,
    /// A turn by someone who is neither user, assistant nor tool.
    Speaker,
    /// A dialogue without a reply.
    NoReply,
    /// A reply to nothing, or a result of no call.
    OutOfTurn,
    /// A reply without text.
    Empty,
    /// A reply that begins as a list of calls and is none.
    Calls,
    /// A call of a tool that the prompt does not list.
    UnknownTool,
    /// An argument for a parameter that the tool does not have.
    UnknownParameter,
    /// A reply that no reply of a policy could be scored against, or not of the right format.
    Gold,
    /// A reply whose history holds one that was not converted.
    Follows,
}

impl Cause {
    /// Whether the whole row was given up, and not one of its replies.
    pub fn is_of_row(self) -> bool {
        let of_row = [Self::Field, Self::Tools, Self::SameName, Self::Answers, Self::Speaker, Self::NoReply];
        of_row.contains(&self)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Field => "a field is missing or holds something else",
            Self::Tools => "no list of tools can be read",
            Self::SameName => "two different tools have the same name",
            Self::Answers => "`answers` is no list of calls",
            Self::Speaker => "a turn is by neither user, assistant nor tool",
            Self::NoReply => "the dialogue has no reply",
            Self::OutOfTurn => "a reply to nothing, or a result of no call",
            Self::Empty => "a reply without text",
            Self::Calls => "begins with [ and is no list of calls",
            Self::UnknownTool => "calls a tool that is not listed",
            Self::UnknownParameter => "gives a parameter that the tool does not have",
            Self::Gold => "cannot be scored against or has not the right format",
            Self::Follows => "comes after a reply that was not converted",
        })
    }
}

/// One row or reply that was not converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) cause: Cause,
    /// What was found, for a reader.
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(cause: Cause, detail: impl ToString) -> Self {
        Self { cause, detail: detail.to_string() }
    }
}
