//! The one door to a policy that generates: a local engine and an HTTP service look the same.

use std::future::Future;

use crate::{Group, Prompt, StreamKey};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingParams {
    /// Divides the logits; 0 takes the most probable token (greedy).
    pub temperature: f32,
    /// Smallest set of tokens whose probability reaches this is kept; 1 keeps all.
    pub top_p: f32,
    /// The limit on new tokens of a reply.
    pub max_new_tokens: usize,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, max_new_tokens: 256 }
    }
}

impl SamplingParams {
    /// Greedy decoding of at most `max_new_tokens`.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { temperature: 0.0, max_new_tokens, ..Self::default() }
    }
}

/// Why sampling failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// A prompt leaves no room for a single new token.
    #[error("prompt {prompt} has {tokens} tokens, and the policy's context holds {limit}")]
    PromptTooLong {
        /// [`Prompt::index`].
        prompt: u64,
        /// Its length.
        tokens: usize,
        /// The most that fits with one new token.
        limit: usize,
    },
    /// A prompt without a token.
    #[error("prompt {prompt} has no tokens")]
    EmptyPrompt {
        /// [`Prompt::index`].
        prompt: u64,
    },
    /// The policy produced logits that are no numbers.
    #[error("the policy's logits are not finite (prompt {prompt}, new token {position})")]
    NotFinite {
        /// [`Prompt::index`].
        prompt: u64,
        /// Which new token, from 0.
        position: usize,
    },
    /// Sampling settings out of range.
    #[error("sampling settings: {0}")]
    Params(String),
    /// Anything of the sampler behind the trait.
    #[error("the sampler failed: {0}")]
    Backend(Box<dyn std::error::Error + Send + Sync>),
}

/// A policy that replies.
pub trait Sampler {
    /// Replies `members` times to each prompt. The result has the order of `prompts`, and each
    /// group's trajectories are ordered by member.
    ///
    /// # Errors
    /// [`SampleError`] when a prompt does not fit or the policy fails.
    fn sample(
        &mut self,
        prompts: &[Prompt],
        members: usize,
        params: &SamplingParams,
        key: StreamKey,
    ) -> impl Future<Output = Result<Vec<Group>, SampleError>>;
}
