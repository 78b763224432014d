//! A case of one turn: one prompt, one reply, one verdict.

use toolrl_bfcl::{Case, Handler, check};
use toolrl_chat::Message;
use toolrl_rollout::{Answer, Answering, Opening, Reply, Session};

use super::Bfcl;
use super::text::{expected, whole};
use crate::outcome::excerpt;
use crate::{BenchmarkError, Case as Begun, Outcome};

/// A case that needs one reply.
pub(super) struct SingleTurn<'a> {
    bfcl: &'a Bfcl,
    case: &'a Case,
    opening: Opening,
    outcome: Outcome,
}

impl<'a> SingleTurn<'a> {
    pub(super) fn new(bfcl: &'a Bfcl, case: &'a Case) -> Result<Self, BenchmarkError> {
        let messages = case.turns.iter().flatten();
        let opening = match bfcl.settings.handler {
            Handler::Toolrl => {
                let prompt = bfcl.settings.prompts.first_turn(case);
                Opening::of(prompt.system, prompt.user)
            }
            _ => Opening {
                messages: messages
                    .clone()
                    .map(|message| Message::new(&message.role, &message.content))
                    .collect(),
                tools: bfcl.tools(&case.id, &case.functions, case.category)?,
            },
        };
        let asked = messages.rev().find(|message| message.role == "user");
        let outcome = Outcome {
            id: case.id.clone(),
            group: case.category.name().into(),
            asked: excerpt(asked.map_or("", |message| &message.content)),
            expected: excerpt(&expected(&case.target)),
            ..Outcome::default()
        };
        Ok(Self { bfcl, case, opening, outcome })
    }
}

impl SingleTurn<'_> {
    fn judge(&mut self, reply: &Reply) -> Result<(), BenchmarkError> {
        let settings = &self.bfcl.settings;
        let text = whole(reply, settings.handler);
        let outcome = &mut self.outcome;
        outcome.count(reply);
        let reading = settings.handler.reading(&self.case.functions, self.case.category.language());
        match check(self.case, reading.decode_ast(&text).as_ref(), settings.names)? {
            Ok(()) => outcome.right = true,
            Err(error) => outcome.fail(error.name()),
        }
        outcome.replies = vec![vec![text]];
        Ok(())
    }
}

impl Session for SingleTurn<'_> {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move {
            self.judge(reply)?;
            Ok(Answer::End)
        })
    }
}

impl Begun for SingleTurn<'_> {
    fn opening(&self) -> Opening {
        self.opening.clone()
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}
