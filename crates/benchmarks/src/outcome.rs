//! What came of a case: a line of the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use toolrl_rollout::{Reply, ReplyEnd};

/// The most bytes of a question or an answer that an outcome keeps.
const LONGEST_EXCERPT: usize = 4_000;

/// What came of a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case.
    pub id: String,
    /// The group that it counts in: a category, a level.
    pub group: String,
    /// Whether it is right by the benchmark's own verdict.
    pub right: bool,
    /// What is wrong with it, as a kind; none where it is right.
    pub failure: Option<String>,
    /// Further measures by name, such as `f1`.
    #[serde(default)]
    pub measures: BTreeMap<String, f64>,
    /// The last thing that the user said, shortened.
    pub asked: String,
    /// What would have been right, shortened; empty where that is not a text.
    pub expected: String,
    /// The model's replies by turn and step, whole.
    pub replies: Vec<Vec<String>>,
    /// New tokens of all replies.
    pub tokens: usize,
    /// Replies that the limit on new tokens ended.
    pub cut: usize,
    /// Replies that there are not, because what was asked did not fit into the model's context.
    pub refused: usize,
}

impl Outcome {
    /// Counts a reply's tokens and whether it was cut or refused.
    pub(crate) fn count(&mut self, reply: &Reply) {
        self.tokens += reply.tokens;
        self.cut += usize::from(reply.end == ReplyEnd::Cut);
        self.refused += usize::from(reply.end == ReplyEnd::Refused);
    }

    /// What is wrong where the verdict says `kind`: a prompt that did not fit is named as such.
    pub(crate) fn fail(&mut self, kind: impl Into<String>) {
        self.right = false;
        self.failure = Some(if self.refused > 0 { "prompt_too_long".into() } else { kind.into() });
    }
}

/// The beginning of a text, cut between characters.
pub(crate) fn excerpt(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_EXCERPT);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{start} …"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_cut_between_characters() {
        assert_eq!(excerpt("short"), "short");
        let long = excerpt(&"é".repeat(LONGEST_EXCERPT));
        assert_eq!(long.len(), LONGEST_EXCERPT + " …".len());
    }
}
