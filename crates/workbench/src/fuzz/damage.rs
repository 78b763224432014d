//! What can be done to a gold reply.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use toolrl_grammar::json::{PyInt, Value};

/// Something that makes a reply worse. Calls and parameters are numbered from 0 in the gold reply, whatever
/// else is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// A call is left out.
    DropCall(usize),
    /// A call is made twice.
    DuplicateCall(usize),
    /// A call is to another tool.
    RenameTool(usize),
    /// The last brace of a call is left out.
    BreakJson(usize),
    /// A call has one more parameter.
    AddKey(usize),
    /// A parameter of a call is left out.
    DropKey(usize, usize),
    /// A parameter of a call has another name.
    RenameKey(usize, usize),
    /// A parameter of a call has another value.
    ChangeValue(usize, usize),
    /// A tag is left out.
    BreakTag(Tag),
    /// Text follows the reply.
    ExtraText,
}

/// A tag of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the tags")]
pub enum Tag {
    Think,
    ThinkEnd,
    ToolCall,
    ToolCallEnd,
    Response,
    ResponseEnd,
}

impl Tag {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Think => "<think>",
            Self::ThinkEnd => "</think>",
            Self::ToolCall => "<tool_call>",
            Self::ToolCallEnd => "</tool_call>",
            Self::Response => "<response>",
            Self::ResponseEnd => "</response>",
        }
    }
}

/// Another way to write a reply that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Edit {
    /// The calls in reverse order.
    CallOrder,
    /// Each call's parameters in reverse order.
    KeyOrder,
    /// `parameters` before `name`.
    NameLast,
    /// More white space inside of the JSON.
    Spaces,
    /// `1.0` for `1`.
    NumberType,
    /// `\u0065` for `e`.
    Escapes,
}

impl Damage {
    /// Its name without the place, by which counter-examples are told apart.
    pub fn kind(self) -> &'static str {
        match self {
            Self::DropCall(_) => "drop_call",
            Self::DuplicateCall(_) => "duplicate_call",
            Self::RenameTool(_) => "rename_tool",
            Self::BreakJson(_) => "break_json",
            Self::AddKey(_) => "add_key",
            Self::DropKey(..) => "drop_key",
            Self::RenameKey(..) => "rename_key",
            Self::ChangeValue(..) => "change_value",
            Self::BreakTag(_) => "break_tag",
            Self::ExtraText => "extra_text",
        }
    }

    /// The call it is about.
    pub(super) fn call(self) -> Option<usize> {
        match self {
            Self::DropCall(i)
            | Self::DuplicateCall(i)
            | Self::RenameTool(i)
            | Self::BreakJson(i)
            | Self::AddKey(i)
            | Self::DropKey(i, _)
            | Self::RenameKey(i, _)
            | Self::ChangeValue(i, _) => Some(i),
            Self::BreakTag(_) | Self::ExtraText => None,
        }
    }

    /// The parameter it is about.
    pub(super) fn key(self) -> Option<(usize, usize)> {
        match self {
            Self::DropKey(i, j) | Self::RenameKey(i, j) | Self::ChangeValue(i, j) => Some((i, j)),
            _ => None,
        }
    }

    /// Whether one of the two would undo or hide the other, so that both are not worse than either: a call that
    /// is dropped takes its other faults along.
    pub(super) fn meets(self, other: Self) -> bool {
        let takes_all = |damage: Self| matches!(damage, Self::DropCall(_) | Self::DuplicateCall(_));
        let one_call = self.call().is_some() && self.call() == other.call();
        let one_key = self.key().is_some() && self.key() == other.key();
        self == other || one_key || (one_call && (takes_all(self) || takes_all(other)))
    }

    /// The same damage once a call (`key` none) or one of its parameters is taken out of the gold reply.
    pub(super) fn without(self, call: usize, key: Option<usize>) -> Self {
        let call_place = |i: usize| i - usize::from(key.is_none() && i > call);
        let key_place = |i: usize, j: usize| j - usize::from(key.is_some_and(|key| i == call && j > key));
        match self {
            Self::DropCall(i) => Self::DropCall(call_place(i)),
            Self::DuplicateCall(i) => Self::DuplicateCall(call_place(i)),
            Self::RenameTool(i) => Self::RenameTool(call_place(i)),
            Self::BreakJson(i) => Self::BreakJson(call_place(i)),
            Self::AddKey(i) => Self::AddKey(call_place(i)),
            Self::DropKey(i, j) => Self::DropKey(call_place(i), key_place(i, j)),
            Self::RenameKey(i, j) => Self::RenameKey(call_place(i), key_place(i, j)),
            Self::ChangeValue(i, j) => Self::ChangeValue(call_place(i), key_place(i, j)),
            Self::BreakTag(_) | Self::ExtraText => self,
        }
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match (self, self.key(), self.call()) {
            (Self::BreakTag(tag), ..) => write!(f, "({})", tag.text()),
            (_, Some((i, j)), _) => write!(f, "(call {}, parameter {})", i + 1, j + 1),
            (_, None, Some(i)) => write!(f, "(call {})", i + 1),
            _ => Ok(()),
        }
    }
}

impl Edit {
    /// Its name.
    pub fn kind(self) -> &'static str {
        match self {
            Self::CallOrder => "call_order",
            Self::KeyOrder => "key_order",
            Self::NameLast => "name_last",
            Self::Spaces => "spaces",
            Self::NumberType => "number_type",
            Self::Escapes => "escapes",
        }
    }
}

/// A value of the same type that is not equal to it.
pub(super) fn changed(value: &Value<'static>) -> Value<'static> {
    match value {
        Value::Null => Value::Bool(true),
        Value::Bool(flag) => Value::Bool(!flag),
        Value::Int(PyInt::Small(n)) => Value::Int(PyInt::Small(n.wrapping_add(1))),
        Value::Int(PyInt::Big(_)) => Value::Int(PyInt::Small(0)),
        Value::Float(x) if x.is_finite() && x.abs() < 1e15 => Value::Float(x + 1.0),
        Value::Float(_) => Value::Float(0.5),
        Value::Str(text) => {
            let mut text = text.as_bytes().to_vec();
            text.extend(b" other");
            Value::Str(toolrl_grammar::json::PyStr(text.into()))
        }
        Value::List(items) => {
            let mut items = items.clone();
            items.push(Value::str("other"));
            Value::List(items)
        }
        Value::Object(entries) => {
            let mut entries = entries.clone();
            entries.insert("other".into(), Value::str("other"));
            entries.insert("one_more".into(), Value::Null);
            Value::Object(entries)
        }
    }
}

/// The integer as a float that is equal to it.
pub(super) fn as_float(value: &Value<'_>) -> Option<Value<'static>> {
    match value {
        Value::Int(PyInt::Small(n)) if n.unsigned_abs() < 1 << 53 => Some(Value::Float(*n as f64)),
        _ => None,
    }
}
