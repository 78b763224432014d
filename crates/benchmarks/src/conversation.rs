//! A case as a small state machine: what needs a reply, the reply, what came of it.

use toolrl_chat::Message;
use toolrl_remote::FunctionCall;

use crate::{BenchmarkError, Outcome};

/// A case that is being talked about.
///
/// Whoever drives it alternates [`ask`](Self::ask) and [`reply`](Self::reply) until the first has nothing
/// to ask.
pub trait Conversation: Send {
    /// What needs a reply now; `None` when the case is done.
    fn ask(&self) -> Option<Ask>;

    /// Takes the reply to what was asked. A reply may hold anything; it is no error.
    ///
    /// # Errors
    /// When a service that the case needs fails, such as a search or a judge.
    fn reply(&mut self, reply: Reply) -> Result<(), BenchmarkError>;

    /// What came of a case that is done.
    fn outcome(&self) -> Outcome;
}

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools that the model's own template describes; none where the messages describe them.
    pub tools: Vec<serde_json::Value>,
}

impl Ask {
    /// What a system and a user say.
    pub fn of(system: impl Into<String>, user: impl Into<String>) -> Self {
        Self { messages: vec![Message::new("system", system), Message::new("user", user)], tools: Vec::new() }
    }
}

/// What a model replied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// The calls that a server took out of the text.
    pub calls: Vec<FunctionCall>,
    /// New tokens, where they are known.
    pub tokens: usize,
    /// Whether the limit on new tokens ended it.
    pub is_cut: bool,
    /// Whether there is none, because what was asked does not fit into the model's context.
    pub is_refused: bool,
}

impl Reply {
    /// A reply of this text.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The reply to what is longer than the model's context.
    pub fn refused() -> Self {
        Self { is_refused: true, ..Self::default() }
    }
}
