//! The types that functions declare, and those that values have.

use toolrl_grammar::json::Value;

use crate::Language;

/// What Python's `type` tells of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `None`.
    Null,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `float`.
    Float,
    /// `str`.
    Str,
    /// `list`.
    List,
    /// `dict`.
    Dict,
    /// `set`, which no value of JSON is.
    Set,
}

impl Kind {
    /// The kind of a value. A flag is no integer, and an integer no float.
    pub fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::Str(_) => Self::Str,
            Value::List(_) => Self::List,
            Value::Object(_) => Self::Dict,
        }
    }
}

/// A type that a function declares for a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Declared {
    /// `any`.
    Any,
    /// `string` or `String`.
    Str,
    /// `char` of Java.
    Char,
    /// `boolean` or `Boolean`.
    Boolean,
    /// `integer`.
    Integer,
    /// `byte` of Java.
    Byte,
    /// `short` of Java.
    Short,
    /// `long` of Java.
    Long,
    /// `Bigint` of JavaScript.
    Bigint,
    /// `float`.
    Float,
    /// `double` of Java.
    Double,
    /// `array` or `Array`.
    Array,
    /// `ArrayList` of Java.
    ArrayList,
    /// `tuple` of Python.
    Tuple,
    /// `Queue` of Java.
    Queue,
    /// `Stack` of Java.
    Stack,
    /// `Set` of Java.
    Set,
    /// `dict`.
    Dict,
    /// `HashMap` of Java.
    HashMap,
    /// `Hashtable` of Java.
    Hashtable,
}

impl Declared {
    /// The type of this name in a language.
    pub fn of(language: Language, name: &str) -> Option<Self> {
        use Language::{Java, JavaScript, Python};
        Some(match (language, name) {
            (_, "any") => Self::Any,
            (Python, "string") | (Java | JavaScript, "String") => Self::Str,
            (Python | Java, "boolean") | (JavaScript, "Boolean") => Self::Boolean,
            (_, "integer") => Self::Integer,
            (_, "float") => Self::Float,
            (Python | JavaScript, "array") | (Java, "Array") => Self::Array,
            (Python, "tuple") => Self::Tuple,
            (Python | JavaScript, "dict") => Self::Dict,
            (JavaScript, "Bigint") => Self::Bigint,
            (Java, "char") => Self::Char,
            (Java, "byte") => Self::Byte,
            (Java, "short") => Self::Short,
            (Java, "long") => Self::Long,
            (Java, "double") => Self::Double,
            (Java, "ArrayList") => Self::ArrayList,
            (Java, "Queue") => Self::Queue,
            (Java, "Stack") => Self::Stack,
            (Java, "Set") => Self::Set,
            (Java, "HashMap") => Self::HashMap,
            (Java, "Hashtable") => Self::Hashtable,
            _ => return None,
        })
    }

    /// The kind that a value of this type has.
    pub fn kind(self) -> Kind {
        match self {
            Self::Any | Self::Str | Self::Char => Kind::Str,
            Self::Boolean => Kind::Bool,
            Self::Integer | Self::Byte | Self::Short | Self::Long | Self::Bigint => Kind::Int,
            Self::Float | Self::Double => Kind::Float,
            Self::Array | Self::ArrayList | Self::Tuple | Self::Queue | Self::Stack => Kind::List,
            Self::Dict | Self::HashMap | Self::Hashtable => Kind::Dict,
            Self::Set => Kind::Set,
        }
    }

    /// Whether the type of its items is looked at too.
    pub fn has_items(self) -> bool {
        matches!(self, Self::Array | Self::ArrayList | Self::Tuple)
    }
}
