//! Methods of Python's `str`.

use super::{Outcome, Raised, iterate};
use crate::value::Value;

fn text<'a>(value: &'a Value, method: &str) -> Outcome<&'a str> {
    match value {
        Value::Str(text) => Ok(text),
        _ => Err(Raised::attribute(value.type_name(), method)),
    }
}

/// Python's `str.isspace` of a character: Unicode's white space and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// Python's `value.lower()`.
pub(crate) fn lower(value: &Value) -> Outcome<String> {
    Ok(text(value, "lower")?.to_lowercase())
}

/// Python's `value.startswith(prefix)`.
pub(crate) fn starts_with(value: &Value, prefix: &str) -> Outcome<bool> {
    Ok(text(value, "startswith")?.starts_with(prefix))
}

/// Python's `value.rstrip("/")`.
pub(crate) fn rstrip_slash(value: &Value) -> Outcome<&str> {
    Ok(text(value, "rstrip")?.trim_end_matches('/'))
}

/// Python's `len(value.split())`.
pub(crate) fn split_count(value: &Value) -> Outcome<usize> {
    Ok(text(value, "split")?.split(is_space).filter(|word| !word.is_empty()).count())
}

/// Python's `value.splitlines()`.
pub(crate) fn split_lines(value: &Value) -> Outcome<Vec<&str>> {
    let mut rest = text(value, "splitlines")?;
    let mut lines = Vec::new();
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| is_line_end(*c)) {
        lines.push(&rest[..at]);
        rest = rest[at..].strip_prefix("\r\n").unwrap_or(&rest[at + end.len_utf8()..]);
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    Ok(lines)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Python's `", ".join(values)`.
pub(crate) fn join(values: &[Value]) -> Outcome<String> {
    let mut parts = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        match value {
            Value::Str(text) => parts.push(text.as_str()),
            _ => {
                let name = value.type_name();
                return Err(Raised::type_error(format!(
                    "sequence item {i}: expected str instance, {name} found"
                )));
            }
        }
    }
    Ok(parts.join(", "))
}

/// The sum of `int(character)` over the items of a text that are digits.
///
/// # Errors
/// What Python raises for items that are no strings, and for digits that are no decimals.
pub(crate) fn digit_sum(value: &Value) -> Outcome<num_bigint::BigInt> {
    let mut total = num_bigint::BigInt::ZERO;
    for item in iterate(value)? {
        let item = text(&item, "isdigit")?;
        if !item.is_empty() && item.chars().all(is_digit) {
            total += super::int_of_text(item)?;
        }
    }
    Ok(total)
}

/// Python's `str.isdigit` of a character, for the digits that are in use: ASCII's, and superscripts.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{2079}')
}
