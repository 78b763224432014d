//! What a template pays for beyond the engine's own account: methods of strings, JSON, and what is printed.
//!
//! The engine charges for a text once it is there. A list that holds itself twice, over and over, or a list
//! repeated without end, is small until it is written.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State};

/// Pays for so many bytes that a template makes, at the engine's own price.
pub(crate) fn charge(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(1 + (bytes / 64) as u64)
}

/// Pays beforehand for every item of a list or dictionary, those inside it included, as often as they would be
/// written.
pub(crate) fn charge_items(state: &State, value: &Value) -> Result<(), Error> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Ok(());
    }
    for item in value.try_iter()? {
        charge(state, longest(&item))?;
        charge_items(state, &item)?;
        if value.kind() == ValueKind::Map {
            let inner = value.get_item(&item)?;
            charge(state, longest(&inner))?;
            charge_items(state, &inner)?;
        }
    }
    Ok(())
}

/// Pays beforehand for the methods whose results can be far longer than what they are given.
pub(crate) fn charge_method(
    state: &State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<(), Error> {
    let Some(text) = value.as_str() else { return Ok(()) };
    arguments.iter().try_for_each(|argument| charge_items(state, argument))?;
    match (method, arguments) {
        ("replace", [old, new, ..]) => {
            let places = text.matches(old.as_str().unwrap_or_default()).count();
            charge(state, places.saturating_mul(longest(new)))
        }
        ("join", [items]) => {
            items.try_iter()?.try_for_each(|item| charge(state, text.len() + longest(&item)))
        }
        ("format", arguments) => {
            let places = text.matches('{').count();
            let longest = arguments.iter().map(longest).max().unwrap_or_default();
            charge(state, places.saturating_mul(longest).saturating_add(numbers(text)))
        }
        _ => Ok(()),
    }
}

/// The bytes of a text, or of the longest among named arguments.
fn longest(value: &Value) -> usize {
    match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len),
        ValueKind::Map => {
            let names = value.try_iter().into_iter().flatten();
            let values = names.filter_map(|name| value.get_item(&name).ok());
            values.filter_map(|value| value.as_str().map(str::len)).max().unwrap_or_default()
        }
        _ => 0,
    }
}

/// The sum of the numbers that stand in a text: no width or precision in it is larger.
fn numbers(text: &str) -> usize {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.fold(0, |sum: usize, digits| sum.saturating_add(digits.parse().unwrap_or(usize::MAX)))
}
