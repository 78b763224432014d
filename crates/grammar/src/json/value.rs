//! A JSON value with Python's types.

use std::borrow::{Borrow, Cow};

use indexmap::IndexMap;

use crate::text;

/// What Python's decoder makes of a JSON text. It borrows from the text where nothing is escaped.
///
/// It has no `PartialEq`: Python compares in two ways, [`super::equal`] and
/// [`super::identical_or_equal`].
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction and an exponent.
    Int(PyInt<'a>),
    /// Any other number; `NaN` only from that literal.
    Float(f64),
    /// A string.
    Str(PyStr<'a>),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object, in the order of its keys' first appearance.
    Object(Object<'a>),
}

/// An object's entries in order. Inserting a key again keeps its place and replaces its value.
pub type Object<'a> = IndexMap<PyStr<'a>, Value<'a>, foldhash::fast::RandomState>;

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PyInt<'a> {
    /// One of 64 bits.
    Small(i64),
    /// One beyond 64 bits, as its decimal digits with an optional leading `-`, and no leading zero.
    Big(Cow<'a, str>),
}

/// A Python string: generalised UTF-8, in which lone surrogates may stand.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PyStr<'a>(pub Cow<'a, [u8]>);

impl PyStr<'_> {
    /// Its bytes in generalised UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text for a reader, lone surrogates replaced.
    pub fn lossy(&self) -> Cow<'_, str> {
        text::lossy(&self.0)
    }

    /// The same string, borrowing nothing.
    pub fn into_owned(self) -> PyStr<'static> {
        PyStr(Cow::Owned(self.0.into_owned()))
    }
}

impl std::fmt::Debug for PyStr<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.lossy())
    }
}

impl Borrow<[u8]> for PyStr<'_> {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> From<&'a str> for PyStr<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for PyStr<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl<'a> Value<'a> {
    /// A string value.
    pub fn str(text: impl Into<PyStr<'a>>) -> Self {
        Self::Str(text.into())
    }

    /// The value of a key; `None` too when this is no object.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Value<'a>> {
        self.as_object()?.get(key.as_ref())
    }

    /// The entries of an object.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Str(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// Python's `len`: code points of a string, items of a list, keys of an object; `None` for the
    /// rest, which has none.
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::Str(text) => Some(text::length(text.as_bytes())),
            Self::List(items) => Some(items.len()),
            Self::Object(entries) => Some(entries.len()),
            _ => None,
        }
    }

    /// Whether Python's `len` is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// What Python's `type` calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::List(_) => "list",
            Self::Object(_) => "object",
        }
    }

    /// A value for an error's text: what it is of a list or an object, at most 60 characters of any other.
    pub fn described(value: Option<&Self>) -> String {
        match value {
            None => "nothing".into(),
            Some(value @ (Self::List(_) | Self::Object(_))) => value.type_name().into(),
            Some(value) => value.to_string().chars().take(60).collect(),
        }
    }

    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(PyInt::Small(n)) => Value::Int(PyInt::Small(n)),
            Self::Int(PyInt::Big(n)) => Value::Int(PyInt::Big(Cow::Owned(n.into_owned()))),
            Self::Float(x) => Value::Float(x),
            Self::Str(text) => Value::Str(text.into_owned()),
            Self::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(entries) => Value::Object(
                entries.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            ),
        }
    }
}
