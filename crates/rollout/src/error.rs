//! Why a rollout failed.

use toolrl_chat::ChatError;

/// What failed behind one of the traits of this crate.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a rollout failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// The template or the tokenizer failed on a task's messages.
    #[error("sample {id}: {source}")]
    Prompt {
        /// The sample's id.
        id: String,
        /// What failed.
        source: ChatError,
    },
    /// The template or the tokenizer failed on a turn.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A template does not keep the assistant's turn where it was sampled, so the conversation cannot go on by ids.
    #[error("the chat template renders an assistant's turn otherwise once another follows it: {rendered:?}")]
    RewrittenTurn {
        /// The end of what it renders.
        rendered: String,
    },
    /// A prompt leaves no room for a single new token.
    #[error("prompt {prompt} has {tokens} tokens, and the policy's context holds {limit}")]
    PromptTooLong {
        /// [`crate::Prompt::index`].
        prompt: u64,
        /// Its length.
        tokens: usize,
        /// The most that fits with one new token.
        limit: usize,
    },
    /// A prompt without a token.
    #[error("prompt {prompt} has no tokens")]
    EmptyPrompt {
        /// [`crate::Prompt::index`].
        prompt: u64,
    },
    /// The policy produced logits that are no numbers.
    #[error("the policy's logits are not finite (prompt {prompt}, new token {position})")]
    NotFinite {
        /// [`crate::Prompt::index`].
        prompt: u64,
        /// Which new token, from 0.
        position: usize,
    },
    /// Sampling settings out of range.
    #[error("sampling settings: {0}")]
    Params(String),
    /// A sampler gave another number of turns than it was asked for.
    #[error("the sampler was asked for {asked} turns and gave {given}")]
    Turns {
        /// What was asked for.
        asked: usize,
        /// What came.
        given: usize,
    },
    /// An environment tells the conversation anew ([`crate::Answer::Retold`]), which no training can take.
    #[error(
        "sample {id}: the environment tells the conversation anew; it can be evaluated, and not trained in"
    )]
    Retold {
        /// The sample's id.
        id: String,
    },
    /// Anything of the sampler behind the trait.
    #[error("the sampler failed: {0}")]
    Sampler(Cause),
    /// Anything of the environment behind the trait.
    #[error("sample {id}: the environment failed: {source}")]
    Environment {
        /// The sample's id.
        id: String,
        /// What failed.
        source: Cause,
    },
}
