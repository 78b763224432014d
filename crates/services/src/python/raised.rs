//! Python's exceptions.

/// What a Python expression gives: a value, or what it raises.
pub(crate) type Outcome<T = crate::value::Value> = Result<T, Raised>;

/// An exception: its class and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raised {
    pub(crate) kind: Kind,
    /// What `str(exception)` gives.
    pub(crate) text: String,
}

/// The classes that a service tells apart, and one for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Type,
    Value,
    Overflow,
    Other,
}

impl Raised {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(crate) fn type_error(text: impl Into<String>) -> Self {
        Self::new(Kind::Type, text)
    }

    pub(crate) fn value_error(text: impl Into<String>) -> Self {
        Self::new(Kind::Value, text)
    }

    pub(crate) fn overflow(text: impl Into<String>) -> Self {
        Self::new(Kind::Overflow, text)
    }

    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::new(Kind::Other, text)
    }

    /// `AttributeError` of an object that has no such attribute.
    pub(crate) fn attribute(type_name: &str, attribute: &str) -> Self {
        Self::other(format!("'{type_name}' object has no attribute '{attribute}'"))
    }

    /// `NameError` of a name that nothing defines.
    pub(crate) fn name(name: &str) -> Self {
        Self::other(format!("name '{name}' is not defined"))
    }

    /// `SyntaxError` of a call's text.
    pub(crate) fn syntax(message: &str) -> Self {
        Self::other(format!("{message} (<string>, line 1)"))
    }

    /// What a computation raises that would not end within bounds.
    pub(crate) fn too_large() -> Self {
        Self::other("the computation is too large")
    }
}
