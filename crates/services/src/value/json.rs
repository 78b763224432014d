//! Values from JSON, and back as `json.dumps` writes them.

use std::borrow::Cow;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use toolrl_grammar::json::{self, PyInt, PyStr};

use super::{Dict, Key, Value};

impl Value {
    /// What Python's `json.loads` makes of it. Lone surrogates are replaced.
    pub(crate) fn from_json(value: &json::Value<'_>) -> Self {
        match value {
            json::Value::Null => Self::None,
            json::Value::Bool(flag) => Self::Bool(*flag),
            json::Value::Int(PyInt::Small(n)) => Self::Int((*n).into()),
            json::Value::Int(PyInt::Big(digits)) => {
                Self::Int(BigInt::parse_bytes(digits.as_bytes(), 10).unwrap_or_default())
            }
            json::Value::Float(x) => Self::Float(*x),
            json::Value::Str(text) => Self::Str(text.lossy().into_owned()),
            json::Value::List(items) => Self::List(items.iter().map(Self::from_json).collect()),
            json::Value::Object(entries) => Self::Dict(
                entries
                    .iter()
                    .map(|(key, value)| (Key::Str(key.lossy().into_owned()), Self::from_json(value)))
                    .collect(),
            ),
        }
    }

    /// The JSON that `json.dumps` writes; `None` where it raises.
    pub(crate) fn to_json(&self) -> Option<json::Value<'static>> {
        Some(match self {
            Self::None => json::Value::Null,
            Self::Bool(flag) => json::Value::Bool(*flag),
            Self::Int(n) => json::Value::Int(integer(n)),
            Self::Float(x) => json::Value::Float(*x),
            Self::Str(text) => json::Value::str(text.clone()),
            Self::List(items) => json::Value::List(items.iter().map(Self::to_json).collect::<Option<_>>()?),
            Self::Dict(entries) => object(entries, Self::to_json)?,
            Self::Opaque(_) => return None,
        })
    }

    /// The JSON of `json.dumps(value, default=str)`.
    pub(crate) fn to_json_or_text(&self) -> json::Value<'static> {
        match self {
            Self::List(items) => json::Value::List(items.iter().map(Self::to_json_or_text).collect()),
            Self::Dict(entries) => {
                object(entries, |value| Some(value.to_json_or_text())).unwrap_or(json::Value::Null)
            }
            Self::Opaque(repr) => json::Value::str(repr.clone()),
            _ => self.to_json().unwrap_or(json::Value::Null),
        }
    }
}

fn object(
    entries: &Dict,
    convert: impl Fn(&Value) -> Option<json::Value<'static>>,
) -> Option<json::Value<'static>> {
    let entries = entries.iter().map(|(key, value)| Some((PyStr::from(name(key)), convert(value)?)));
    Some(json::Value::Object(entries.collect::<Option<_>>()?))
}

/// How `json.dumps` writes a key.
fn name(key: &Key) -> String {
    match key {
        Key::None => "null".into(),
        Key::Bool(flag) => flag.to_string(),
        Key::Int(n) => n.to_string(),
        Key::Float(x) => json::float_repr(*x),
        Key::Str(text) => text.clone(),
    }
}

fn integer(n: &BigInt) -> PyInt<'static> {
    match n.to_i64() {
        Some(small) => PyInt::Small(small),
        None => PyInt::Big(Cow::Owned(n.to_string())),
    }
}
