//! Texts read as values of a type.

use super::{ORDER, TypeSet};
use crate::json::{self, PyInt, Value};
use crate::text;

impl TypeSet {
    /// The text as the first of the types that it can be; as any JSON where it can be none; `None` where it stays a
    /// string.
    pub(super) fn read(self, text: &[u8]) -> Option<Value<'static>> {
        for (name, bit) in ORDER {
            if self.0 & bit == 0 {
                continue;
            }
            let value = match name {
                "null" => text.eq_ignore_ascii_case(b"null").then_some(Value::Null),
                "integer" => integer(text),
                "number" => integer(text).or_else(|| number(text)),
                "boolean" => boolean(text),
                "string" => return None,
                _ => finite(text),
            };
            if value.is_some() {
                return value;
            }
        }
        finite(text)
    }
}

/// `["+" | "-"] digits`, of which none is lost.
fn integer(text: &[u8]) -> Option<Value<'static>> {
    let text = std::str::from_utf8(text::strip(text)).ok()?;
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    if signs > 1 || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let sign = if text.starts_with('-') { "-" } else { "" };
    let written = if digits.is_empty() { "0".into() } else { format!("{sign}{digits}") };
    Some(json::parse(&written).ok()?.into_owned())
}

/// A finite number; an integer where it has no fraction.
fn number(text: &[u8]) -> Option<Value<'static>> {
    let text = std::str::from_utf8(text::strip(text)).ok()?;
    let x: f64 = text.parse().ok().filter(|x: &f64| x.is_finite())?;
    if x.fract() != 0.0 {
        return Some(Value::Float(x));
    }
    let digits = format!("{x:.0}");
    let digits = if digits == "-0" { "0".into() } else { digits };
    let small = digits.parse().map(PyInt::Small);
    Some(Value::Int(small.unwrap_or_else(|_| PyInt::Big(digits.into()))))
}

fn boolean(text: &[u8]) -> Option<Value<'static>> {
    match text::strip(text).to_ascii_lowercase().as_slice() {
        b"true" | b"1" => Some(Value::Bool(true)),
        b"false" | b"0" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// JSON without `NaN` and infinities, which no other reader takes.
fn finite(text: &[u8]) -> Option<Value<'static>> {
    let value = json::parse(text).ok()?;
    is_finite(&value).then(|| value.into_owned())
}

fn is_finite(value: &Value<'_>) -> bool {
    match value {
        Value::Float(x) => x.is_finite(),
        Value::List(items) => items.iter().all(is_finite),
        Value::Object(entries) => entries.values().all(is_finite),
        _ => true,
    }
}
