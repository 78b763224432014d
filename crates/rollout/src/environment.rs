//! What answers a policy's turns.

use std::future::Future;
use std::pin::Pin;

use toolrl_chat::Message;
use toolrl_data::Sample;

use crate::{Cause, Opening, Reply};

/// A session that is about to begin.
pub type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Session + 'a>, Cause>> + Send + 'a>>;
/// An answer that is on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, Cause>> + Send + 'a>>;
/// A verdict that is on its way.
pub type Closing<'a> = Pin<Box<dyn Future<Output = Result<Option<f64>, Cause>> + Send + 'a>>;

/// Where episodes take place: it opens each task, and answers what a policy says.
pub trait Environment: Send + Sync {
    /// What a policy is told of a task. All members of a group begin with it.
    fn opening(&self, task: &Sample) -> Opening {
        Opening { messages: task.messages.clone(), tools: task.tools.clone() }
    }

    /// Begins one member's episode.
    fn begin<'a>(&'a self, task: &'a Sample) -> Beginning<'a>;
}

/// One episode's side of the environment.
pub trait Session: Send {
    /// Answers a turn of the policy. A turn may say anything: that is no error.
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a>;

    /// Ends the episode, however it came to its end. A verdict is added to the reward.
    fn close(&mut self) -> Closing<'_> {
        Box::pin(async { Ok(None) })
    }
}

/// What follows a policy's turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Messages, such as the results of tools; then it is the policy's turn.
    Messages(Vec<Message>),
    /// The whole conversation told anew, as released benchmarks do: nothing of what stood before is kept. Such an
    /// episode is no one sequence, so it can be evaluated and not trained on.
    Retold(Opening),
    /// Nothing: the episode ends.
    End,
}

/// The environment of tasks with a gold reply: it has no answer, so that an episode is one turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct GoldReply;

impl Environment for GoldReply {
    fn begin<'a>(&'a self, _: &'a Sample) -> Beginning<'a> {
        Box::pin(async { Ok(Box::new(Self) as Box<dyn Session>) })
    }
}

impl Session for GoldReply {
    fn answer<'a>(&'a mut self, _: &'a Reply) -> Answering<'a> {
        Box::pin(async { Ok(Answer::End) })
    }
}
