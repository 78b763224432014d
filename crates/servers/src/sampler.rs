//! The sampler whose policy is on servers.

use toolrl_chat::Chat;
use toolrl_rollout::{Request, RolloutError, Sampler, Sampling, SamplingParams, StreamKey};

use crate::{Servers, ServersError};

/// One version of the policy, as servers hold it.
pub struct ServedSampler<'a> {
    servers: &'a Servers,
    chat: &'a Chat,
    version: u64,
    stop_tokens: Option<Vec<u32>>,
    context: Option<usize>,
}

impl<'a> ServedSampler<'a> {
    pub(crate) fn new(servers: &'a Servers, chat: &'a Chat, version: u64) -> Self {
        Self { servers, chat, version, stop_tokens: None, context: None }
    }

    /// Ends turns with these tokens and no others; without a choice, with those of [`toolrl_chat::TurnEnd`].
    #[must_use]
    pub fn with_stop_tokens(self, stop_tokens: &[u32]) -> Self {
        Self { stop_tokens: Some(stop_tokens.to_vec()), ..self }
    }

    /// Keeps prompt and turn within so many tokens, where the servers' context holds more.
    #[must_use]
    pub fn with_context(self, tokens: usize) -> Self {
        Self { context: Some(tokens), ..self }
    }
}

impl Sampler for ServedSampler<'_> {
    fn sample<'a>(
        &'a mut self,
        _requests: &'a [Request<'a>],
        _params: &'a SamplingParams,
        _key: StreamKey,
    ) -> Sampling<'a> {
        let Self { servers: _, chat: _, version, stop_tokens: _, context: _ } = *self;
        let error = ServersError::NotPublished { version };
        Box::pin(async move { Err(RolloutError::Sampler(Box::new(error))) })
    }
}
