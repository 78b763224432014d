//! Who replies: a policy of this process, or a model behind an endpoint.

use std::future::Future;

use serde_json::Value;
use toolrl_chat::Chat;
use toolrl_remote::{ChatReply, ChatRequest, Client, RemoteError};
use toolrl_rollout::{FinishReason, Prompt, Sampler, StreamKey};

use crate::{BenchmarkError, Reply, Request, RunSettings};

/// The replies to some requests, in their order.
pub type Replies = Vec<Result<Reply, BenchmarkError>>;

/// Whoever replies.
pub trait Replier {
    /// Replies to each request, in their order.
    ///
    /// # Errors
    /// Where none can be replied to; an error of one request alone stands in its place.
    fn replies(
        &mut self,
        requests: &[Request],
        settings: &RunSettings,
    ) -> impl Future<Output = Result<Replies, BenchmarkError>>;
}

/// A policy behind a [`Sampler`]: its chat template words the prompts.
#[derive(Debug)]
pub struct LocalPolicy<'a, S> {
    sampler: S,
    chat: &'a Chat,
    context: usize,
}

impl<'a, S: Sampler> LocalPolicy<'a, S> {
    /// A policy with its tokenizer and template, whose context holds so many tokens, prompt and reply
    /// together.
    pub fn new(sampler: S, chat: &'a Chat, context: usize) -> Self {
        Self { sampler, chat, context }
    }

    fn prompt(&self, request: &Request) -> Result<Prompt, BenchmarkError> {
        let text = self.chat.render_with_tools(&request.ask.messages, &request.ask.tools, true)?;
        let tokens = self.chat.encode(&text)?;
        Ok(Prompt { index: request.index, text, tokens })
    }
}

impl<S: Sampler> Replier for LocalPolicy<'_, S> {
    async fn replies(
        &mut self,
        requests: &[Request],
        settings: &RunSettings,
    ) -> Result<Replies, BenchmarkError> {
        let prompts = requests.iter().map(|request| self.prompt(request)).collect::<Result<Vec<_>, _>>()?;
        // A prompt that fills the context leaves no room for a reply.
        let fits: Vec<bool> = prompts.iter().map(|prompt| prompt.tokens.len() < self.context).collect();
        let prompts: Vec<Prompt> =
            prompts.into_iter().zip(&fits).filter(|(_, fits)| **fits).map(|(prompt, _)| prompt).collect();
        let key = StreamKey { seed: settings.seed, step: 0 };
        let groups = match prompts.is_empty() {
            true => Vec::new(),
            false => self.sampler.sample(&prompts, 1, &settings.params, key).await?,
        };
        let mut sampled = groups.into_iter().flat_map(|group| group.trajectories);
        let reply = |fits: &bool| match fits {
            false => Some(Ok(Reply::refused())),
            true => sampled.next().map(|reply| {
                let is_cut = reply.finish == FinishReason::Length;
                Ok(Reply { tokens: reply.tokens.len(), is_cut, ..Reply::of(reply.text) })
            }),
        };
        Ok(fits.iter().filter_map(reply).collect())
    }
}

/// A model behind an OpenAI-compatible endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: Client,
    model: String,
}

impl Endpoint {
    /// The model of this name on a server.
    pub fn new(client: Client, model: impl Into<String>) -> Self {
        Self { client, model: model.into() }
    }

    fn request(&self, request: &Request, settings: &RunSettings) -> ChatRequest {
        let params = &settings.params;
        let messages = request.ask.messages.iter();
        ChatRequest {
            model: self.model.clone(),
            messages: messages.map(|message| serde_json::to_value(message).unwrap_or(Value::Null)).collect(),
            tools: request.ask.tools.clone(),
            temperature: params.temperature,
            top_p: params.top_p,
            max_tokens: params.max_new_tokens,
            seed: (params.temperature > 0.0).then_some(settings.seed),
        }
    }
}

impl Replier for Endpoint {
    async fn replies(
        &mut self,
        requests: &[Request],
        settings: &RunSettings,
    ) -> Result<Replies, BenchmarkError> {
        let requests: Vec<_> = requests.iter().map(|request| self.request(request, settings)).collect();
        let replies = self.client.chat_all(&requests).into_iter().map(|reply| match reply {
            Ok(reply) => Ok(of_chat(reply)),
            Err(RemoteError::TooLong { .. }) => Ok(Reply::refused()),
            Err(error) => Err(error.into()),
        });
        Ok(replies.collect())
    }
}

fn of_chat(reply: ChatReply) -> Reply {
    let ChatReply { content, calls, is_cut, tokens } = reply;
    let tokens = tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or_default();
    Reply { calls, tokens, is_cut, ..Reply::of(content) }
}
