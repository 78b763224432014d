//! Iteration, `in` and subscripts.

use super::{Outcome, Raised};
use crate::value::{Key, Value};

/// Python's `list(value)`.
pub(crate) fn iterate(value: &Value) -> Outcome<Vec<Value>> {
    match value {
        Value::Str(text) => Ok(text.chars().map(|c| Value::Str(c.to_string())).collect()),
        Value::List(items) => Ok(items.clone()),
        Value::Dict(entries) => Ok(entries.keys()),
        _ => Err(Raised::type_error(format!("'{}' object is not iterable", value.type_name()))),
    }
}

/// Python's `item in container`.
pub(crate) fn contains(container: &Value, item: &Value) -> Outcome<bool> {
    match (container, item) {
        (Value::Str(text), Value::Str(part)) => Ok(text.contains(part.as_str())),
        (Value::Str(_), _) => Err(Raised::type_error(format!(
            "'in <string>' requires string as left operand, not {}",
            item.type_name()
        ))),
        (Value::List(items), _) => Ok(items.contains(item)),
        (Value::Dict(entries), _) => Ok(entries.find(item)?.is_some()),
        _ => Err(Raised::type_error(format!("argument of type '{}' is not iterable", container.type_name()))),
    }
}

/// Python's `container[name]`.
pub(crate) fn item<'a>(container: &'a Value, name: &str) -> Outcome<&'a Value> {
    match container {
        Value::Dict(entries) => entries.get(name).ok_or_else(|| Raised::other(Value::from(name).repr())),
        Value::Str(_) => Err(Raised::type_error("string indices must be integers, not 'str'")),
        Value::List(_) => Err(Raised::type_error("list indices must be integers or slices, not str")),
        _ => Err(Raised::type_error(format!("'{}' object is not subscriptable", container.type_name()))),
    }
}

impl Raised {
    /// `KeyError` of a key.
    pub(crate) fn key(key: &Key) -> Self {
        Self::other(key.value().repr())
    }
}
