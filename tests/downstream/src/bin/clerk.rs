//! `toolrl` with an environment of its own: a clerk who confirms every call, and praises those who then stop calling.

use std::process::ExitCode;

use toolrl_chat::Message;
use toolrl_data::Sample;
use toolrl_rollout::{Answer, Answering, Beginning, Closing, Environment, Reply, Session};
use toolrl_train::Registry;

/// The office; every episode has a clerk of its own.
struct Office;

/// What a clerk has seen of an episode.
#[derive(Default)]
struct Clerk {
    confirmed: usize,
    is_done: bool,
}

impl Environment for Office {
    fn begin<'a>(&'a self, _: &'a Sample) -> Beginning<'a> {
        Box::pin(async { Ok(Box::new(Clerk::default()) as Box<dyn Session>) })
    }
}

impl Session for Clerk {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move {
            let turn = toolrl_grammar::parse(&reply.text).turn;
            self.is_done = turn.calls.is_empty();
            if self.is_done {
                return Ok(Answer::End);
            }
            self.confirmed += turn.calls.len();
            let confirm = |call: &toolrl_grammar::Call<'_>| {
                Message::new("tool", format!("{} is done", call.name.lossy()))
            };
            Ok(Answer::Messages(turn.calls.iter().map(confirm).collect()))
        })
    }

    fn close(&mut self) -> Closing<'_> {
        Box::pin(async { Ok(Some(if self.is_done && self.confirmed > 0 { 1.0 } else { 0.0 })) })
    }
}

fn main() -> ExitCode {
    let rewards = toolrl_reward::Registry::builtin();
    toolrl_cli::main_with(Registry::from(rewards).with_environment("clerk", Office))
}
