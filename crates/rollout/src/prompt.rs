//! What opens an episode: messages and tools, rendered and tokenised.

use toolrl_chat::{Chat, ChatError, Message};
use toolrl_data::Sample;

use crate::{Environment, RolloutError};

/// What a policy is told before its first turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// The conversation, oldest message first.
    pub messages: Vec<Message>,
    /// The tools that the chat template describes; none where the messages describe them.
    pub tools: Vec<serde_json::Value>,
}

impl Opening {
    /// What a system and a user say.
    pub fn of(system: impl Into<String>, user: impl Into<String>) -> Self {
        Self { messages: vec![Message::new("system", system), Message::new("user", user)], tools: Vec::new() }
    }
}

/// An opening as the policy reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// Which of the tasks it is of: a position in the caller's list of them.
    pub task: usize,
    /// Names the prompt in the random streams. Where a step takes a task twice, the two have other indices.
    pub index: u64,
    /// What it was rendered from.
    pub opening: Opening,
    /// The rendered text, with the opening of the assistant's turn.
    pub text: String,
    /// The thoughts that the template has opened in it: these belong to the reply.
    pub opened: String,
    /// Its token ids.
    pub tokens: Vec<u32>,
    /// Tokens that were taken off its beginning.
    pub cut: usize,
}

impl Prompt {
    /// Renders an opening with the beginning of the assistant's turn, and tokenises it. Its index is the task's position.
    ///
    /// # Errors
    /// When the template refuses the messages.
    pub fn new(chat: &Chat, opening: Opening, task: usize) -> Result<Self, ChatError> {
        let text = chat.render_with_tools(&opening.messages, &opening.tools, true)?;
        let opened = opened(chat, &opening, &text)?.to_owned();
        let tokens = chat.encode(&text)?;
        Ok(Self { task, index: task as u64, opening, text, opened, tokens, cut: 0 })
    }

    /// The same without its beginning: its last `n` tokens, and the text that they are.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn keep_last(self, chat: &Chat, n: usize) -> Result<Self, ChatError> {
        let off = self.tokens.len().saturating_sub(n);
        if off == 0 {
            return Ok(self);
        }
        let tokens = self.tokens[off..].to_vec();
        Ok(Self { text: chat.decode(&tokens, false)?, tokens, cut: self.cut + off, ..self })
    }

    /// The prompt of a sample, which stands at this position among the tasks.
    ///
    /// # Errors
    /// [`RolloutError::Prompt`].
    pub fn of_sample(
        chat: &Chat,
        environment: &dyn Environment,
        sample: &Sample,
        task: usize,
    ) -> Result<Self, RolloutError> {
        let failed = |source| RolloutError::Prompt { id: sample.id.clone(), source };
        Self::new(chat, environment.opening(sample), task).map_err(failed)
    }
}

/// The thoughts that a rendered opening ends in: from the last tag that opens some, if that stands in what the template
/// adds for the assistant's turn.
fn opened<'t>(chat: &Chat, opening: &Opening, text: &'t str) -> Result<&'t str, ChatError> {
    let Some(tag) = chat.dialect().thoughts_opening().and_then(|opening| text.rfind(opening)) else {
        return Ok("");
    };
    let last = opening.messages.last().map_or("", |message| message.content.trim());
    // What follows the last message is the template's; most prompts are told by this alone.
    if !last.is_empty() && text[tag..].contains(last) {
        return Ok("");
    }
    let without = chat.render_with_tools(&opening.messages, &opening.tools, false)?;
    Ok(if text.starts_with(&without) && tag >= without.len() { &text[tag..] } else { "" })
}
