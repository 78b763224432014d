//! Whether a reply must think first.

use serde::{Deserialize, Serialize};
use toolrl_grammar::Parsed;

use crate::Reference;

/// What a term asks of a reply's thoughts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Thoughts {
    /// There must be some, in the tags or the channel of the dialect; they may be empty.
    #[default]
    Required,
    /// There need be none; those that begin must end.
    Optional,
}

impl Thoughts {
    /// What is wrong with a reply's thoughts.
    pub(crate) fn fault(self, parsed: &Parsed<'_>, reference: &Reference) -> Option<&'static str> {
        let ended = reference.thoughts_of(parsed).is_some();
        match self {
            _ if ended => None,
            _ if parsed.turn.thoughts.is_some() => Some("the thoughts do not end"),
            Self::Required => Some("there are no thoughts"),
            Self::Optional => None,
        }
    }
}
