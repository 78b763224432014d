//! One task: what the policy reads and the reply it is scored against.

use std::fmt;

use serde::{Deserialize, Serialize};
use toolrl_chat::Message;
use toolrl_grammar::{ReplyKind, tags, text};

use crate::Gold;

/// A task: a prompt and its gold reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Names the sample within its source; unique there.
    pub id: String,
    /// The prompt, oldest message first; never empty. Roles are `system`, `user`, `assistant` and `tool`.
    pub messages: Vec<Message>,
    /// The tools that the chat template lists, as JSON schemas; empty where the prompt's text has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<serde_json::Value>,
    /// The gold reply.
    pub gold: Gold,
    /// What the task asks for.
    pub kind: TaskKind,
    /// Whether the prompt's tools were held out from training.
    pub unseen_tools: bool,
}

/// What a task asks for. [`TaskKind::as_str`] gives the key that reports group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One call.
    OneCall,
    /// Several calls in one turn.
    SeveralCalls,
    /// No call: an answer in words.
    NoCall,
    /// A value is missing that the call must have: a question for it.
    AskBack,
    /// A call after earlier turns. In the tool world it uses a value of an earlier observation.
    History,
    /// The next call of a request that takes several, one after another's result.
    MultiHop,
    /// A call whose function and parameter names are opaque, so that only descriptions tell.
    Masked,
    /// Calls and an answer in one reply.
    CallAndResponse,
    /// Neither a call nor an answer.
    Other,
}

impl TaskKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::OneCall,
        Self::SeveralCalls,
        Self::NoCall,
        Self::AskBack,
        Self::History,
        Self::MultiHop,
        Self::Masked,
        Self::CallAndResponse,
        Self::Other,
    ];

    /// The name in serialized samples and the key in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneCall => "one_call",
            Self::SeveralCalls => "several_calls",
            Self::NoCall => "no_call",
            Self::AskBack => "ask_back",
            Self::History => "history",
            Self::MultiHop => "multi_hop",
            Self::Masked => "masked",
            Self::CallAndResponse => "call_and_response",
            Self::Other => "other",
        }
    }

    /// The kind of that name, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind that a gold reply alone tells: which of the two parts stand in it, and whether its block of
    /// calls has one line or several. As in the released reward, a tag counts wherever it stands.
    pub fn of_gold(gold: &str) -> Self {
        match ReplyKind::of(gold) {
            ReplyKind::Both => Self::CallAndResponse,
            ReplyKind::Response => Self::NoCall,
            ReplyKind::Thoughts => Self::Other,
            ReplyKind::ToolCall if call_lines(gold) > 1 => Self::SeveralCalls,
            ReplyKind::ToolCall => Self::OneCall,
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lines of the last block of calls: a thought may mention the tag before it.
fn call_lines(gold: &str) -> usize {
    let block = tags::TOOL_CALL.last(gold.as_bytes()).unwrap_or_default();
    text::strip(block).split(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_parts_of_the_gold_reply() {
        let call = "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
        let two = call.replace("}}\n", "}}\n{\"name\": \"g\", \"parameters\": {}}\n");
        let cases = [
            (call.to_owned(), TaskKind::OneCall),
            (two, TaskKind::SeveralCalls),
            ("<think> a </think>\n<response> b </response>".to_owned(), TaskKind::NoCall),
            (format!("{call}\n<response> b </response>"), TaskKind::CallAndResponse),
            ("<think> a </think>".to_owned(), TaskKind::Other),
        ];
        for (gold, kind) in cases {
            assert_eq!(TaskKind::of_gold(&gold), kind, "{gold}");
        }
    }

    #[test]
    fn names_are_the_serialized_names() {
        for kind in TaskKind::ALL {
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
            assert_eq!(TaskKind::from_name(kind.as_str()), Some(kind));
        }
    }
}
