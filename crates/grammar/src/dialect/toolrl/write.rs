//! A turn as text.

use std::fmt::Write as _;

use super::super::{TurnPart, WriteError};
use crate::json::{Entries, Unicode, Value};
use crate::tags::{self, RESPONSE, THINK, TOOL_CALL};
use crate::{Call, Passage, Turn};

/// Writes a turn that can be read again.
pub(super) fn write(turn: &Turn<'_>) -> Result<String, WriteError> {
    let thoughts = turn.thoughts.as_ref().ok_or(WriteError::NoThoughts)?;
    check(TurnPart::Thoughts, thoughts.as_bytes())?;
    for call in &turn.calls {
        check(TurnPart::Calls, call_line(call).as_bytes())?;
    }
    turn.response.as_ref().map_or(Ok(()), |response| check(TurnPart::Response, response.as_bytes()))?;
    Ok(text(turn))
}

fn check(part: TurnPart, written: &[u8]) -> Result<(), WriteError> {
    let all = [THINK, TOOL_CALL, RESPONSE].into_iter().flat_map(|tags| [tags.open, tags.close]);
    if let Some(tag) = all.into_iter().find(|tag| tags::has(written, tag)) {
        return Err(WriteError::Tag { part, tag });
    }
    std::str::from_utf8(written).map_or(Err(WriteError::NotText { part }), |_| Ok(()))
}

/// The text of a turn, whatever its parts hold: it need not read as the same turn. Lone surrogates of
/// passages are replaced.
pub fn text(turn: &Turn<'_>) -> String {
    let passage = |passage: &Passage<'_>, tags: tags::Tags| {
        format!("{} {} {}", tags.open, passage.text.lossy(), tags.close)
    };
    let lines: Vec<_> = turn.calls.iter().map(call_line).collect();
    let calls =
        (!lines.is_empty()).then(|| format!("{}\n{}\n{}", TOOL_CALL.open, lines.join("\n"), TOOL_CALL.close));
    let thoughts = turn.thoughts.as_ref().map(|thoughts| passage(thoughts, THINK));
    let response = turn.response.as_ref().map(|response| passage(response, RESPONSE));
    [thoughts, calls, response].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A call as one line of JSON, `{"name": …, "parameters": {…}}`, as `json.dumps` with `ensure_ascii=False`
/// writes it.
pub fn call_line(call: &Call<'_>) -> String {
    let mut line = String::from("{\"name\": ");
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{}, \"parameters\": {}}}",
        Unicode(&Value::Str(call.name.clone())),
        Entries(&call.arguments)
    );
    line
}
