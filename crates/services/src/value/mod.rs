//! A Python object, as the services hold and return it.

mod compare;
mod dictionary;
mod json;
mod repr;

use num_bigint::BigInt;

pub(crate) use compare::Order;
pub(crate) use dictionary::{Dict, Key};

/// A Python object of one of the types that calls and scenarios are made of. Equality is Python's `==`:
/// `1 == 1.0 == True`, and the order of a dict's keys does not matter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Str(String),
    List(Vec<Value>),
    Dict(Dict),
    /// An object that `json.dumps` refuses, as its `repr`.
    Opaque(String),
}

impl Value {
    /// What Python's `type(value).__name__` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
            Self::Opaque(_) => "object",
        }
    }

    /// Python's `bool(value)`.
    pub(crate) fn truthy(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(flag) => *flag,
            Self::Int(n) => *n != BigInt::ZERO,
            Self::Float(x) => *x != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Dict(entries) => !entries.is_empty(),
            Self::Opaque(_) => true,
        }
    }

    /// Whether it is the string `text`.
    pub(crate) fn is_str(&self, text: &str) -> bool {
        matches!(self, Self::Str(own) if own == text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n.into())
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}

impl From<Dict> for Value {
    fn from(entries: Dict) -> Self {
        Self::Dict(entries)
    }
}

/// A dict of these entries, as Python's literal makes one.
macro_rules! dict {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::value::Value::Dict($crate::value::Dict::of([$(($key, $crate::value::Value::from($value))),*]))
    };
}
pub(crate) use dict;
