//! An episode under way: it grows by token ids alone.

use std::sync::{Arc, Once};

use toolrl_chat::{Chat, Message};

use crate::{
    Ended, Episode, FinishReason, Prompt, Reply, Request, RolloutError, Sampled, SamplingParams, Segment,
};

/// Stands for the assistant's turn where only what surrounds it is looked for.
const TURN: &str = "toolrl7turn";

/// Whether it was said that a template rewrites turns: it does so at every one.
static TOLD: Once = Once::new();

/// An episode under way.
#[derive(Clone, Debug)]
pub struct Dialogue {
    prompt: Arc<Prompt>,
    member: usize,
    /// Everything after the opening's messages.
    said: Vec<Message>,
    /// The prompt's tokens, then the episode's.
    context: Vec<u32>,
    segments: Vec<Segment>,
    logprobs: Vec<f32>,
    replies: Vec<Reply>,
}

impl Dialogue {
    /// The episode of a member before its first turn.
    pub fn new(prompt: Arc<Prompt>, member: usize) -> Self {
        let context = prompt.tokens.clone();
        let (said, segments, logprobs, replies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { prompt, member, said, context, segments, logprobs, replies }
    }

    /// What a sampler needs for the next turn.
    pub fn request(&self) -> Request<'_> {
        let members = self.member..self.member + 1;
        Request { index: self.prompt.index, tokens: &self.context, members, drawn: self.logprobs.len() }
    }

    /// Its prompt.
    pub fn prompt(&self) -> &Arc<Prompt> {
        &self.prompt
    }

    /// The policy's turns until now.
    pub fn replies(&self) -> &[Reply] {
        &self.replies
    }

    /// Appends a turn that was sampled by these settings, and reads it.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn push_turn(
        &mut self,
        chat: &Chat,
        turn: Sampled,
        params: &SamplingParams,
    ) -> Result<&Reply, RolloutError> {
        let reply = Reply::of_turn(chat, &self.prompt, &turn, params)?;
        let Sampled { tokens, logprobs, finish, version } = turn;
        self.segments.push(Segment::Sampled { len: tokens.len(), version, finish });
        self.context.extend(tokens);
        self.logprobs.extend(logprobs);
        self.said.push(Message::new("assistant", reply.text.clone()));
        self.replies.push(reply);
        self.replies.last().ok_or(RolloutError::Turns { asked: 1, given: 0 })
    }

    /// Appends messages that follow the policy's turn, and the opening of its next one.
    ///
    /// Their ids are those of what the template renders behind the turn. What stands before is not rendered into ids
    /// again.
    ///
    /// # Errors
    /// When the template fails, or renders the turn elsewhere than where it was sampled.
    pub fn push_messages(&mut self, chat: &Chat, messages: Vec<Message>) -> Result<(), RolloutError> {
        let tail = self.tail(chat, &messages)?;
        let given = chat.encode(self.after_stop(chat, &tail)?)?;
        self.segments.push(Segment::Given { len: given.len() });
        self.context.extend(given);
        self.said.extend(messages);
        Ok(())
    }

    /// What the template renders between the policy's last turn and its next.
    fn tail(&self, chat: &Chat, messages: &[Message]) -> Result<String, RolloutError> {
        let before = self.said.len().saturating_sub(1);
        let head = self.render(chat, before, &[])?;
        let opened = &self.prompt.opened;
        let mut rendered = String::new();
        // Of thoughts that the template opens, some templates write the opening before every turn, some only before
        // the one to come.
        for turn in [TURN.to_owned(), format!("{opened}{TURN}")] {
            let mut following = vec![Message::new("assistant", turn)];
            following.extend_from_slice(messages);
            rendered = self.render(chat, before, &following)?;
            if let Some(tail) = rendered.strip_prefix(&head).and_then(|rest| rest.strip_prefix(TURN)) {
                self.tell_rewritten(chat, messages, &head, tail)?;
                return Ok(tail.to_owned());
            }
        }
        let from = rendered.floor_char_boundary(rendered.len().saturating_sub(200));
        Err(RolloutError::RewrittenTurn { rendered: rendered[from..].to_owned() })
    }

    /// Warns where the template writes this very turn otherwise than it was sampled: a server that renders the
    /// conversation anew then shows its model another one.
    fn tell_rewritten(
        &self,
        chat: &Chat,
        messages: &[Message],
        head: &str,
        tail: &str,
    ) -> Result<(), RolloutError> {
        let rendered = self.render(chat, self.said.len(), messages)?;
        let turn = self.said.last().map_or("", |message| message.content.as_str());
        let own = turn.strip_prefix(self.prompt.opened.as_str()).unwrap_or(turn);
        let kept = rendered
            .strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .is_some_and(|written| written.trim() == own.trim() || written.trim() == turn.trim());
        if !kept {
            TOLD.call_once(|| {
                tracing::warn!(
                    "the chat template rewrites earlier turns: episodes keep them as they were sampled"
                );
            });
        }
        Ok(())
    }

    /// The opening, the first `said` messages after it and those that follow, with the opening of a turn.
    fn render(&self, chat: &Chat, said: usize, following: &[Message]) -> Result<String, RolloutError> {
        let opening = &self.prompt.opening;
        let all: Vec<Message> =
            opening.messages.iter().chain(&self.said[..said]).chain(following).cloned().collect();
        Ok(chat.render_with_tools(&all, &opening.tools, true)?)
    }

    /// What of a tail is still to be written: the sampled stop token may have written its beginning.
    fn after_stop<'t>(&self, chat: &Chat, tail: &'t str) -> Result<&'t str, RolloutError> {
        let stopped =
            matches!(self.segments.last(), Some(Segment::Sampled { finish: FinishReason::Stop, .. }));
        let Some(stop) = self.context.last().filter(|_| stopped) else { return Ok(tail) };
        let stop = chat.decode(&[*stop], false)?;
        Ok(tail.strip_prefix(&stop).unwrap_or(tail))
    }

    /// The episode, which has ended.
    pub fn end(mut self, ended: Ended, outcome: Option<f64>) -> Episode {
        // What the environment put at the end was read by no turn.
        while let Some(Segment::Given { len }) = self.segments.last() {
            self.context.truncate(self.context.len() - len);
            self.segments.pop();
        }
        Episode {
            member: self.member,
            tokens: self.context.split_off(self.prompt.tokens.len()),
            segments: self.segments,
            logprobs: self.logprobs,
            replies: self.replies,
            ended,
            outcome,
        }
    }
}
