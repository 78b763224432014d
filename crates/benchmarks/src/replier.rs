//! Who replies: a policy of this process, or a model behind an endpoint.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use toolrl_chat::{Chat, Message};
use toolrl_remote::{ChatReply, ChatRequest, Client, RemoteError};
use toolrl_rollout::{
    Dialogue, Opening, Prompt, Reply, ReplyEnd, Request, RolloutError, Sampler, ServedCall, StreamKey,
};

use crate::{BenchmarkError, RunSettings};

/// The replies to some conversations, in their order.
pub type Replies = Vec<Result<Reply, BenchmarkError>>;

/// A conversation that needs a reply.
#[derive(Clone, Debug)]
pub struct Talk {
    /// What it was opened with.
    pub opening: Opening,
    /// Everything said after that, the model's turns among it.
    pub said: Vec<Message>,
    /// The case's place in the benchmark.
    pub case: usize,
    /// How many replies the case has had before.
    pub step: usize,
    /// Names the next reply in the random streams. It depends on the case's id and the step alone, so which other
    /// cases are run changes no reply.
    pub index: u64,
    /// How much of `said` the replier has not read.
    unread: usize,
    /// The conversation as token ids, once a policy has begun it.
    dialogue: Option<Dialogue>,
}

impl Talk {
    /// A case's conversation before its first reply.
    pub(crate) fn new(opening: Opening, case: usize, stream: u64) -> Self {
        Self { opening, said: Vec::new(), case, step: 0, index: stream, unread: 0, dialogue: None }
    }

    /// Everything said until now, as one opening.
    pub fn asked(&self) -> Opening {
        let messages = self.opening.messages.iter().chain(&self.said).cloned().collect();
        Opening { messages, tools: self.opening.tools.clone() }
    }

    /// Takes the model's turn.
    pub(crate) fn replied(&mut self, reply: &Reply) {
        self.said.push(message(reply));
        self.step += 1;
        self.index += 1;
        self.unread = 0;
    }

    /// Goes on with further messages.
    pub(crate) fn go_on(&mut self, messages: Vec<Message>) {
        self.unread += messages.len();
        self.said.extend(messages);
    }

    /// Goes on with a conversation told anew.
    pub(crate) fn retell(&mut self, opening: Opening) {
        (self.opening, self.said, self.unread, self.dialogue) = (opening, Vec::new(), 0, None);
    }
}

/// A model's turn as later turns are shown it.
pub(crate) fn message(reply: &Reply) -> Message {
    let said = Message::new("assistant", &reply.text);
    if reply.calls.is_empty() {
        return said;
    }
    let call = |call: &ServedCall| {
        let function = serde_json::json!({"name": call.name, "arguments": call.arguments});
        serde_json::json!({"id": call.id, "type": "function", "function": function})
    };
    said.with_tool_calls(reply.calls.iter().map(call).collect())
}

/// Whoever replies.
pub trait Replier {
    /// Replies to each conversation, in their order.
    ///
    /// # Errors
    /// Where none can be replied to; an error of one conversation alone stands in its place.
    fn replies(
        &mut self,
        talks: &mut [Talk],
        settings: &RunSettings,
    ) -> impl Future<Output = Result<Replies, BenchmarkError>>;
}

/// A policy behind a [`Sampler`]: its chat template words the prompts, and conversations grow by token ids.
pub struct LocalPolicy<'a> {
    sampler: Box<dyn Sampler + 'a>,
    chat: &'a Chat,
    context: usize,
}

impl<'a> LocalPolicy<'a> {
    /// A policy with its tokenizer and template, whose context holds so many tokens, prompt and reply
    /// together.
    pub fn new(sampler: Box<dyn Sampler + 'a>, chat: &'a Chat, context: usize) -> Self {
        Self { sampler, chat, context }
    }

    /// Brings the ids up to what was said.
    fn read(&self, talk: &mut Talk) -> Result<(), BenchmarkError> {
        let asked = talk.asked();
        match &mut talk.dialogue {
            Some(dialogue) => {
                let new = talk.said.split_at(talk.said.len() - talk.unread).1.to_vec();
                match dialogue.push_messages(self.chat, new) {
                    // As a server does, which renders every turn anew.
                    Err(RolloutError::RewrittenTurn { .. }) => *dialogue = self.begun(asked, talk.case)?,
                    pushed => pushed?,
                }
            }
            None => talk.dialogue = Some(self.begun(talk.opening.clone(), talk.case)?),
        }
        talk.unread = 0;
        Ok(())
    }

    fn begun(&self, opening: Opening, case: usize) -> Result<Dialogue, BenchmarkError> {
        Ok(Dialogue::new(Arc::new(Prompt::new(self.chat, opening, case)?), 0))
    }
}

impl Replier for LocalPolicy<'_> {
    async fn replies(
        &mut self,
        talks: &mut [Talk],
        settings: &RunSettings,
    ) -> Result<Replies, BenchmarkError> {
        talks.iter_mut().try_for_each(|talk| self.read(talk))?;
        // A prompt that fills the context leaves no room for a reply.
        let (context, chat) = (self.context, self.chat);
        let fitting = talks.iter().filter_map(|talk| {
            let request = talk.dialogue.as_ref()?.request();
            let fits = request.tokens.len() < context;
            fits.then_some(Request { index: talk.index, drawn: 0, ..request })
        });
        let requests: Vec<_> = fitting.collect();
        let key = StreamKey { seed: settings.seed, step: 0 };
        let turns = match requests.is_empty() {
            true => Vec::new(),
            false => self.sampler.sample(&requests, &settings.params, key).await?,
        };
        let mut turns = turns.into_iter().flatten();
        let mut reply = |talk: &mut Talk| {
            let fits = |dialogue: &&mut Dialogue| dialogue.request().tokens.len() < context;
            let Some(dialogue) = talk.dialogue.as_mut().filter(fits) else { return Some(Ok(Reply::NONE)) };
            let turn = turns.next()?;
            Some(dialogue.push_turn(chat, turn, &settings.params).cloned().map_err(BenchmarkError::from))
        };
        Ok(talks.iter_mut().filter_map(&mut reply).collect())
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

    fn request(&self, talk: &Talk, settings: &RunSettings) -> ChatRequest {
        let params = &settings.params;
        let messages = talk.opening.messages.iter().chain(&talk.said);
        ChatRequest {
            model: self.model.clone(),
            messages: messages.map(|message| serde_json::to_value(message).unwrap_or(Value::Null)).collect(),
            tools: talk.opening.tools.clone(),
            temperature: params.temperature,
            top_k: params.top_k,
            top_p: params.top_p,
            min_p: params.min_p,
            stop: params.stop.clone(),
            include_stop_str_in_output: params.include_stop_str_in_output,
            max_tokens: params.max_new_tokens,
            seed: (params.temperature > 0.0).then_some(settings.seed),
        }
    }
}

impl Replier for Endpoint {
    async fn replies(
        &mut self,
        talks: &mut [Talk],
        settings: &RunSettings,
    ) -> Result<Replies, BenchmarkError> {
        let requests: Vec<_> = talks.iter().map(|talk| self.request(talk, settings)).collect();
        let replies = self.client.chat_all(&requests).into_iter().map(|reply| match reply {
            Ok(reply) => Ok(of_chat(reply)),
            Err(RemoteError::TooLong { .. }) => Ok(Reply::NONE),
            Err(error) => Err(error.into()),
        });
        Ok(replies.collect())
    }
}

fn of_chat(reply: ChatReply) -> Reply {
    let ChatReply { content, calls, is_cut, tokens } = reply;
    let tokens = tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or_default();
    let served = |call: toolrl_remote::FunctionCall| ServedCall {
        id: call.id,
        name: call.name,
        arguments: call.arguments,
    };
    let calls = calls.into_iter().map(served).collect();
    let end = if is_cut { ReplyEnd::Cut } else { ReplyEnd::Stopped };
    Reply { calls, tokens, end, ..Reply::of_text(&content) }
}
