//! Calls as terms compare them.

use std::borrow::Cow;
use std::fmt;

use toolrl_grammar::dialect::toolrl::{call_line, plain_call};
use toolrl_grammar::json::{Line, Object, PyStr, Value, identical_or_equal, same_entries};
use toolrl_grammar::{Call, Span};

use crate::Defect;

/// A call as terms compare it. Under the released reading any JSON value stands for one.
#[derive(Clone, Debug)]
pub struct AnyCall<'a>(Form<'a>);

/// A value that is a plain call is never a [`Form::Value`].
#[derive(Clone, Debug)]
enum Form<'a> {
    Call(Call<'a>),
    Of(&'a Call<'a>),
    Value(Line<'a>),
}

/// What a call gives as its parameters.
pub(crate) enum Parameters<'c, 'a> {
    Object(&'c Object<'a>),
    Other(&'c Value<'a>),
}

impl<'a> AnyCall<'a> {
    /// The call that a line of JSON is.
    pub(crate) fn of_line(line: Line<'a>) -> Self {
        Self(plain_call(line).map_or_else(Form::Value, Form::Call))
    }

    /// A turn's call.
    pub fn of(call: &'a Call<'a>) -> Self {
        Self(Form::Of(call))
    }

    fn plain(&self) -> Result<&Call<'a>, &Line<'a>> {
        match &self.0 {
            Form::Call(call) => Ok(call),
            Form::Of(call) => Ok(call),
            Form::Value(line) => Err(line),
        }
    }

    /// Where it stands in the text that it was read from.
    pub fn span(&self) -> Option<Span> {
        self.plain().map_or_else(|line| Some(line.span), |call| call.span)
    }

    /// Its name, which may be any value.
    pub fn name(&self) -> Option<Value<'_>> {
        match self.plain() {
            Ok(call) => Some(Value::Str(PyStr(Cow::Borrowed(call.name.as_bytes())))),
            Err(line) => line.value.get("name").cloned(),
        }
    }

    /// Its parameters, where they are an object.
    pub fn arguments(&self) -> Option<&Object<'a>> {
        match self.parameters()? {
            Parameters::Object(entries) => Some(entries),
            Parameters::Other(_) => None,
        }
    }

    /// How many parameters it gives: Python's `len` of them, where they have one.
    pub fn parameter_count(&self) -> Option<usize> {
        self.parameters()?.len()
    }

    /// Its parameters, of whatever type.
    pub(crate) fn parameters(&self) -> Option<Parameters<'_, 'a>> {
        match self.plain() {
            Ok(call) => Some(Parameters::Object(&call.arguments)),
            Err(line) => match line.value.get("parameters")? {
                Value::Object(entries) => Some(Parameters::Object(entries)),
                other => Some(Parameters::Other(other)),
            },
        }
    }

    /// What keeps it from having a name.
    pub(crate) fn without_name(&self) -> Defect {
        match self.plain() {
            Err(line) if line.value.as_object().is_none() => Defect::NotAnObject,
            _ => Defect::Missing("name"),
        }
    }

    /// Whether two calls are equal, as Python's containers compare what they hold.
    pub fn same(&self, other: &AnyCall<'_>) -> bool {
        match (self.plain(), other.plain()) {
            (Ok(a), Ok(b)) => {
                a.name.as_bytes() == b.name.as_bytes() && same_entries(&a.arguments, &b.arguments)
            }
            (Err(a), Err(b)) => identical_or_equal(&a.value, &b.value),
            _ => false,
        }
    }

    /// The same call, borrowing nothing.
    pub fn into_owned(self) -> AnyCall<'static> {
        AnyCall(match self.0 {
            Form::Call(call) => Form::Call(call.into_owned()),
            Form::Of(call) => Form::Call(call.clone().into_owned()),
            Form::Value(line) => Form::Value(Line { value: line.value.into_owned(), span: line.span }),
        })
    }
}

impl Parameters<'_, '_> {
    /// Python's `len` of them; none where they have none.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Object(entries) => Some(entries.len()),
            Self::Other(value) => value.len(),
        }
    }
}

/// Displays it as one line of JSON.
impl fmt::Display for AnyCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plain() {
            Ok(call) => f.write_str(&call_line(call)),
            Err(line) => line.value.fmt(f),
        }
    }
}
