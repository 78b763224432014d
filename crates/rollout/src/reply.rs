//! A policy's turn as its readers take it: rewards, evaluations, benchmarks and environments.

use toolrl_chat::{Chat, ChatError};
use toolrl_grammar::ScoredText;

use crate::{FinishReason, Prompt, Sampled, SamplingParams};

/// A policy's turn as its readers take it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The text as it is scored ([`ScoredText`]).
    pub text: String,
    /// How far the text is ahead of what was sampled: bytes that the template wrote, less white space that was cut off.
    pub shift: isize,
    /// The calls that a server took out of the text.
    pub calls: Vec<ServedCall>,
    /// New tokens; 0 where a server does not say.
    pub tokens: usize,
    /// Why it ended.
    pub end: ReplyEnd,
}

/// A call that a server took out of a reply's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedCall {
    /// What its result refers to.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments: an object as JSON text.
    pub arguments: String,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyEnd {
    /// The policy ended it.
    #[default]
    Stopped,
    /// The limit on new tokens did.
    Cut,
    /// There is none: what was asked does not fit into the context.
    Refused,
}

impl Reply {
    /// The reply to what is longer than the context.
    pub const NONE: Self =
        Self { text: String::new(), shift: 0, calls: Vec::new(), tokens: 0, end: ReplyEnd::Refused };

    /// A reply of this text.
    pub fn of_text(text: &str) -> Self {
        let (text, shift) = scored("", text);
        Self { text, shift, ..Self::default() }
    }

    /// A turn that was sampled by these settings. The token that ends it is no text; other special tokens are, as tags
    /// may be such. The text ends before the stop string that ended the turn, or behind it, as the settings say.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn of_turn(
        chat: &Chat,
        prompt: &Prompt,
        turn: &Sampled,
        params: &SamplingParams,
    ) -> Result<Self, ChatError> {
        let (tokens, end) = match turn.finish {
            FinishReason::Stop => (turn.tokens.len().saturating_sub(1), ReplyEnd::Stopped),
            FinishReason::StopString => (turn.tokens.len(), ReplyEnd::Stopped),
            FinishReason::Length => (turn.tokens.len(), ReplyEnd::Cut),
        };
        let written = params.cut(chat.decode(&turn.tokens[..tokens], false)?, turn.finish);
        let (text, shift) = scored(&prompt.opened, &written);
        Ok(Self { text, shift, calls: Vec::new(), tokens: turn.tokens.len(), end })
    }
}

/// A text as it is scored. White space is whole characters, so what is left is as valid as it was.
fn scored(opened: &str, written: &str) -> (String, isize) {
    let ScoredText { text, shift } = ScoredText::of(opened, written);
    (String::from_utf8_lossy(&text).into_owned(), shift)
}
