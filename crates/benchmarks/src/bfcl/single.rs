//! A case of one turn: one prompt, one reply, one verdict.

use toolrl_bfcl::{Case, Handler, check};
use toolrl_chat::Message;
use toolrl_rollout::{Opening, Reply};

use super::Bfcl;
use super::text::{expected, whole};
use crate::case::OneReply;
use crate::outcome::excerpt;
use crate::{BenchmarkError, Outcome};

/// Begins one.
pub(super) fn open<'a>(bfcl: &'a Bfcl, case: &'a Case) -> Result<impl crate::Case + 'a, BenchmarkError> {
    let messages = case.turns.iter().flatten();
    let opening = match bfcl.settings.handler {
        Handler::Toolrl => {
            let prompt = bfcl.settings.prompts.first_turn(case);
            Opening::of(prompt.system, prompt.user)
        }
        _ => Opening {
            messages: messages.clone().map(|message| Message::new(&message.role, &message.content)).collect(),
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
    let settings = &bfcl.settings;
    let judge = move |reply: &Reply, outcome: &mut Outcome| {
        let text = whole(reply, settings.handler);
        let reading = settings.handler.reading(&case.functions, case.category.language());
        match check(case, reading.decode_ast(&text).as_ref(), settings.names)? {
            Ok(()) => outcome.right = true,
            Err(error) => outcome.fail(error.name()),
        }
        outcome.replies = vec![vec![text]];
        Ok(())
    };
    Ok(OneReply { opening, outcome, judge })
}
