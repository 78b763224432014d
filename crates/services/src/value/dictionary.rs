//! Python's dict: entries in order of insertion, under keys of any hashable type.

use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};
use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::Value;
use crate::python::{Outcome, Raised};

/// What a dict can have as a key. Numbers that are equal are one key, whatever their type.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Str(String),
}

impl Key {
    /// The key that a value makes; a list or a dict raises.
    pub(crate) fn of(value: &Value) -> Outcome<Self> {
        Ok(match value {
            Value::None => Self::None,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(n) => Self::Int(n.clone()),
            Value::Float(x) => Self::Float(*x),
            Value::Str(text) => Self::Str(text.clone()),
            Value::List(_) | Value::Dict(_) | Value::Opaque(_) => {
                return Err(Raised::type_error(format!("unhashable type: '{}'", value.type_name())));
            }
        })
    }

    pub(crate) fn value(&self) -> Value {
        match self {
            Self::None => Value::None,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(n) => Value::Int(n.clone()),
            Self::Float(x) => Value::Float(*x),
            Self::Str(text) => Value::Str(text.clone()),
        }
    }

    /// The integer that the key is equal to.
    fn integer(&self) -> Option<BigInt> {
        match self {
            Self::Bool(flag) => Some(i64::from(*flag).into()),
            Self::Int(n) => Some(n.clone()),
            Self::Float(x) if x.fract() == 0.0 => BigInt::from_f64(*x),
            _ => None,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || a.to_bits() == b.to_bits(),
            _ => self.integer().is_some_and(|n| Some(n) == other.integer()),
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match (self, self.integer()) {
            (_, Some(n)) => n.hash(state),
            (Self::Str(text), _) => text.hash(state),
            (Self::Float(x), _) => x.to_bits().hash(state),
            _ => 0u8.hash(state),
        }
    }
}

/// Looks a string key up without making one.
#[derive(Hash)]
struct Name<'a>(&'a str);

impl Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Str(text) if text == self.0)
    }
}

/// A dict. Inserting a key again keeps its place and replaces its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dict(IndexMap<Key, Value, foldhash::fast::RandomState>);

impl Dict {
    pub(crate) fn of<const N: usize>(entries: [(&str, Value); N]) -> Self {
        Self(entries.into_iter().map(|(key, value)| (Key::Str(key.to_owned()), value)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a string key.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(&Name(name))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.get_mut(&Name(name))
    }

    /// Puts a value under a string key.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        match self.get_mut(name) {
            Some(place) => *place = value.into(),
            None => drop(self.0.insert(Key::Str(name.to_owned()), value.into())),
        }
    }

    /// Python's `dict.get(key)`; a key that cannot be hashed raises.
    pub(crate) fn find(&self, key: &Value) -> Outcome<Option<&Value>> {
        Ok(self.0.get(&Key::of(key)?))
    }

    pub(crate) fn find_mut(&mut self, key: &Value) -> Outcome<Option<&mut Value>> {
        Ok(self.0.get_mut(&Key::of(key)?))
    }

    /// Python's `dict[key] = value`.
    pub(crate) fn insert(&mut self, key: Key, value: Value) {
        self.0.insert(key, value);
    }

    /// Python's `dict.setdefault(key, default)`.
    pub(crate) fn set_default(&mut self, key: Key, default: Value) -> &mut Value {
        self.0.entry(key).or_insert(default)
    }

    /// Takes an entry out; those after it keep their order.
    pub(crate) fn remove(&mut self, key: &Value) -> Outcome<Option<Value>> {
        Ok(self.0.shift_remove(&Key::of(key)?))
    }

    pub(crate) fn at(&self, key: &Key) -> Option<&Value> {
        self.0.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.0.iter()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// Python's `list(dict.keys())`.
    pub(crate) fn keys(&self) -> Vec<Value> {
        self.0.keys().map(Key::value).collect()
    }
}

impl FromIterator<(Key, Value)> for Dict {
    fn from_iter<T: IntoIterator<Item = (Key, Value)>>(entries: T) -> Self {
        let mut dict = Self::default();
        for (key, value) in entries {
            dict.insert(key, value);
        }
        dict
    }
}
