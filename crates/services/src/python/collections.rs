//! Iteration, `in`, subscripts, and a set of integers.

use std::fmt;

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
        _ => Err(Raised::type_error(format!(
            "argument of type '{}' is not iterable",
            container.type_name()
        ))),
    }
}

/// Python's `container[name]`.
pub(crate) fn item<'a>(container: &'a Value, name: &str) -> Outcome<&'a Value> {
    match container {
        Value::Dict(entries) => {
            entries.get(name).ok_or_else(|| Raised::other(Value::from(name).repr()))
        }
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

/// A set of small positive integers, in the order in which CPython's hash table gives them.
#[derive(Clone, Debug)]
pub(crate) struct IdSet {
    table: Vec<Option<u64>>,
    used: usize,
}

impl Default for IdSet {
    fn default() -> Self {
        Self { table: vec![None; 8], used: 0 }
    }
}

impl IdSet {
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.table.contains(&Some(id))
    }

    /// Adds an id. The table grows fourfold when it is three fifths full.
    pub(crate) fn insert(&mut self, id: u64) {
        if self.contains(id) {
            return;
        }
        self.place(id);
        self.used += 1;
        if self.used * 5 >= (self.table.len() - 1) * 3 {
            let mut size = 8;
            while size <= self.used * 4 {
                size *= 2;
            }
            let old = std::mem::replace(&mut self.table, vec![None; size]);
            old.into_iter().flatten().for_each(|id| self.place(id));
        }
    }

    /// CPython's probing: nine neighbours, then a jump.
    fn place(&mut self, id: u64) {
        let mask = self.table.len() - 1;
        let (mut perturb, mut at) = (id, id as usize & mask);
        loop {
            let neighbours = if at + 9 <= mask { 9 } else { 0 };
            for slot in &mut self.table[at..=at + neighbours] {
                if slot.is_none() {
                    *slot = Some(id);
                    return;
                }
            }
            perturb >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
        }
    }
}

/// Writes as Python's `repr` of a set does.
impl fmt::Display for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.used == 0 {
            return f.write_str("set()");
        }
        let ids: Vec<String> = self.table.iter().flatten().map(u64::to_string).collect();
        write!(f, "{{{}}}", ids.join(", "))
    }
}
