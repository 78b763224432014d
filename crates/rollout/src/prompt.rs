//! The step from a sample to a prompt.

use toolrl_chat::{Chat, ChatError};
use toolrl_data::Sample;

/// A rendered, tokenized prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Names the prompt in the random streams: the sample's position in its source.
    pub index: u64,
    /// The rendered text, with the opening of the assistant's turn.
    pub text: String,
    /// Its token ids.
    pub tokens: Vec<u32>,
}

/// Why a sample has no prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The template or the tokenizer failed.
    #[error("sample {id}: {source}")]
    Chat {
        /// The sample's id.
        id: String,
        /// What failed.
        source: ChatError,
    },
}

/// Renders a sample's messages with the opening of the assistant's turn, and tokenizes them.
///
/// # Errors
/// [`PromptError::Chat`] when the template refuses the messages.
pub fn prompt_of_sample(chat: &Chat, sample: &Sample, index: u64) -> Result<Prompt, PromptError> {
    let failed = |source| PromptError::Chat { id: sample.id.clone(), source };
    let text = chat.render_with_tools(&sample.messages, &sample.tools, true).map_err(failed)?;
    let tokens = chat.encode(&text).map_err(failed)?;
    Ok(Prompt { index, text, tokens })
}
