//! A turn as messages.

use super::{CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START};
use crate::json::Entries;
use crate::{Call, Passage, Turn, text};

/// The text of a turn, whatever it reads as.
pub(super) fn text(turn: &Turn<'_>) -> String {
    let said = |passage: &Passage<'_>| text::lossy(text::strip(passage.as_bytes())).into_owned();
    let message = |channel: &str, said: &str| format!("{CHANNEL}{channel}{MESSAGE}{said}");
    let thoughts = turn.thoughts.as_ref().map(|thoughts| message("analysis", &said(thoughts)));
    let channel = if turn.calls.is_empty() { "final" } else { "commentary" };
    let words = turn.response.as_ref().map(said).filter(|words| !words.is_empty());
    let words = words.map(|words| message(channel, &words));
    let before = thoughts.into_iter().chain(words);
    let calls: Vec<_> = turn.calls.iter().map(call).collect();
    let calls = (!calls.is_empty()).then(|| calls.join(&format!("{CALL}{START}")));
    let text = before.chain(calls).collect::<Vec<_>>().join(&format!("{END}{START}"));
    // Without anything behind them thoughts must be closed.
    if turn.calls.is_empty() && turn.response.is_none() { text + END } else { text }
}

fn call(call: &Call<'_>) -> String {
    let (name, arguments) = (call.name.lossy(), Entries(&call.arguments));
    format!("{CHANNEL}commentary to=functions.{name} {CONSTRAIN}json{MESSAGE}{arguments}")
}
