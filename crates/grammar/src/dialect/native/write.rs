//! A turn as text.

use super::super::{Dialect, Outcome, TurnPart, WriteError, same_calls};
use super::{Native, Words};
use crate::{Passage, Turn, text};

/// The text of a turn, whatever it reads as.
pub(super) fn text(native: &Native, turn: &Turn<'_>) -> String {
    let form = native.thoughts;
    let thoughts = turn.thoughts.as_ref().map_or_else(String::new, |thoughts| {
        let (inner, tags) = (form.inner, form.tags);
        let thoughts = words(thoughts);
        format!("{}{inner}{thoughts}{inner}{}{}", tags.open, tags.close, form.after)
    });
    let calls = if turn.calls.is_empty() { String::new() } else { (native.calls)(&turn.calls) };
    let response = turn.response.as_ref().map(words).unwrap_or_default();
    let join = if calls.is_empty() || response.is_empty() { "" } else { native.join };
    match native.words {
        Words::Before => format!("{thoughts}{response}{join}{calls}"),
        Words::Behind => format!("{thoughts}{calls}{join}{response}"),
    }
}

fn words(passage: &Passage<'_>) -> String {
    text::lossy(text::strip(passage.as_bytes())).into_owned()
}

/// The text of a turn, which must be read as the same turn.
pub(crate) fn checked(dialect: &dyn Dialect, turn: &Turn<'_>, text: String) -> Result<String, WriteError> {
    for (part, passage) in [(TurnPart::Thoughts, &turn.thoughts), (TurnPart::Response, &turn.response)] {
        if passage.as_ref().is_some_and(|passage| std::str::from_utf8(passage.as_bytes()).is_err()) {
            return Err(WriteError::NotText { part });
        }
    }
    let parsed = dialect.parse(text.as_bytes());
    let again = &parsed.turn;
    let unreadable = |part| Err(WriteError::Unreadable { dialect: dialect.name(), part });
    if !same_calls(dialect, &turn.calls, &again.calls) {
        return unreadable(TurnPart::Calls);
    }
    if turn.thoughts.is_some() != again.thoughts.is_some() || said(&turn.thoughts) != said(&again.thoughts) {
        return unreadable(TurnPart::Thoughts);
    }
    if said(&turn.response) != said(&again.response) || parsed.outcome != Outcome::Whole {
        return unreadable(TurnPart::Response);
    }
    Ok(text)
}

/// What a passage says; nothing where there is none.
fn said<'p>(passage: &'p Option<Passage<'_>>) -> &'p [u8] {
    passage.as_ref().map(|passage| text::strip(passage.as_bytes())).unwrap_or_default()
}
