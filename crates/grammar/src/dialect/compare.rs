//! Turns compared as a dialect can tell them apart.

use super::{Dialect, Outcome};
use crate::json::{self, PyStr, Unicode, Value};
use crate::{Call, Passage, Turn, text};

/// Whether `rendered`, what a chat template made of an assistant's `turn`, is what a dialect writes of it: read
/// in the dialect it is a whole reply, and means the turn. The generation prompt before it and what the template
/// puts behind the turn must be cut off, but for a text of [`Dialect::turn_ends`].
///
/// Thoughts are not compared: templates drop those of earlier turns.
///
/// ```
/// use toolrl_grammar::{Call, DIALECTS, Turn, dialect, json};
///
/// let arguments = json::parse(r#"{"city": "Rome", "days": 3}"#).unwrap();
/// let call = Call::new("weather", arguments.as_object().cloned().unwrap());
/// let turn = Turn { calls: vec![call], ..Turn::default() };
/// let rendered = "[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\", \"days\": 3}</s>";
/// let found = DIALECTS.into_iter().filter(|&one| dialect::writes(one, rendered, &turn));
/// assert_eq!(found.map(|one| one.name()).collect::<Vec<_>>(), ["mistral_v11"]);
/// ```
pub fn writes(dialect: &dyn Dialect, rendered: &str, turn: &Turn<'_>) -> bool {
    let parsed = dialect.parse(rendered.as_bytes());
    let said = |passage: &Option<Passage<'_>>| {
        passage.as_ref().map(|passage| text::strip(passage.as_bytes()).to_vec()).unwrap_or_default()
    };
    parsed.outcome == Outcome::Whole
        && same_calls(dialect, &parsed.turn.calls, &turn.calls)
        && said(&parsed.turn.response) == said(&turn.response)
}

/// Whether calls are the same to a dialect, ids aside.
pub(super) fn same_calls(dialect: &dyn Dialect, a: &[Call<'_>], b: &[Call<'_>]) -> bool {
    let same = |a: &Value<'_>, b: &Value<'_>| match dialect.keeps_types() {
        true => json::identical_or_equal(a, b),
        false => untyped(a) == untyped(b),
    };
    let same_call = |(a, b): (&Call<'_>, &Call<'_>)| {
        let in_b = |(key, value): (&PyStr<'_>, _)| {
            b.argument(key.as_bytes()).is_some_and(|other| same(value, other))
        };
        a.name == b.name && a.arguments.len() == b.arguments.len() && a.arguments.iter().all(in_b)
    };
    a.len() == b.len() && a.iter().zip(b).all(same_call)
}

/// A value as dialects without types write it: a string as it is, anything else as JSON.
pub(super) fn untyped(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => text.lossy().into_owned(),
        other => Unicode(other).to_string(),
    }
}
