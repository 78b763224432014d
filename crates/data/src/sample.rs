//! One task: what the policy reads and the reply it is scored against.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A task: a prompt and its gold reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Names the sample within its source; unique there.
    pub id: String,
    /// The prompt, oldest message first; never empty.
    pub messages: Vec<Message>,
    /// The gold reply as text: `<think>`, then `<tool_call>` and/or `<response>`.
    pub gold: String,
    /// What the task asks for.
    pub kind: TaskKind,
    /// Whether the prompt's tools were held out from training.
    pub unseen_tools: bool,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The instructions and the list of tools.
    System,
    /// The person, with the records of earlier turns.
    User,
    /// The policy.
    Assistant,
}

impl Role {
    /// The name that chat templates use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// The role of that name, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant].into_iter().find(|role| role.as_str() == name)
    }
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
    /// A call after earlier turns. In the tool world it uses a value of an earlier observation.
    History,
    /// A call whose function and parameter names are opaque, so that only descriptions tell.
    Masked,
    /// Calls and an answer in one reply.
    CallAndResponse,
    /// Neither a call nor an answer.
    Other,
}

impl TaskKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::OneCall,
        Self::SeveralCalls,
        Self::NoCall,
        Self::History,
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
            Self::History => "history",
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
        match (gold.contains("<tool_call>"), gold.contains("<response>")) {
            (true, true) => Self::CallAndResponse,
            (false, true) => Self::NoCall,
            (false, false) => Self::Other,
            (true, false) if call_lines(gold) > 1 => Self::SeveralCalls,
            (true, false) => Self::OneCall,
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
    let block = gold.rsplit("<tool_call>").next().unwrap_or_default();
    let block = block.split("</tool_call>").next().unwrap_or_default();
    block.trim().lines().count()
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
        for name in ["system", "user", "assistant"] {
            assert_eq!(Role::from_name(name).map(Role::as_str), Some(name));
        }
        assert_eq!(Role::from_name("tool"), None);
    }
}
