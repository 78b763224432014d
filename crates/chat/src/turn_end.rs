//! [`TurnEnd`]: which token ends a reply.

use crate::{Chat, ChatError, Message};

/// Stands for an assistant's turn where only what follows it is looked for.
const TURN: &str = "toolrl7turn";

/// Where an assistant's turn ends: the one rule for training, sampling and evaluation.
///
/// What the chat template writes after a turn is taught. Sampling ends with it, with each `eos_token_id` of the model's
/// configuration, and with the tokenizer's `eos_token`: models are published whose configuration lists one of them
/// alone, and Llama-3's lists the end of a text before the end of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnEnd {
    /// The token that supervised fine-tuning teaches at the end of a reply: the special token that the template writes
    /// after an assistant's turn; the tokenizer's `eos_token` where it writes none; else the first configured one.
    pub taught: u32,
    /// The tokens with which a sampled reply ends, each once: `taught`, those of the configuration in their order, the
    /// tokenizer's `eos_token`.
    pub stops: Vec<u32>,
}

impl TurnEnd {
    /// The rule for a model directory.
    ///
    /// # Arguments
    /// - `configured`: every `eos_token_id` of `generation_config.json` and `config.json`.
    ///
    /// # Errors
    /// [`ChatError::NoTurnEnd`].
    pub fn of(chat: &Chat, configured: &[u32]) -> Result<Self, ChatError> {
        let (written, eos) = (written(chat), chat.eos_token_id());
        let none = || ChatError::NoTurnEnd { dir: chat.dir().to_owned() };
        let taught = written.or(eos).or(configured.first().copied()).ok_or_else(none)?;
        let mut stops = vec![taught];
        for &token in configured.iter().chain(&eos) {
            if !stops.contains(&token) {
                stops.push(token);
            }
        }
        Ok(Self { taught, stops })
    }
}

/// The special token that the template writes after an assistant's turn, white space left out; none where it writes a
/// text, or refuses the conversation.
fn written(chat: &Chat) -> Option<u32> {
    let conversation = [Message::new("user", "hi"), Message::new("assistant", TURN)];
    let text = chat.render(&conversation, false).ok()?;
    let (_, tail) = text.rsplit_once(TURN)?;
    let is_blank = |id: &u32| chat.decode(&[*id], false).is_ok_and(|text| text.trim().is_empty());
    let first = chat.encode(tail).ok()?.into_iter().find(|id| !is_blank(id))?;
    chat.is_added(first).then_some(first)
}
