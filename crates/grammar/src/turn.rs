//! What a reply means, in any call format.

use crate::Span;
use crate::json::{Object, PyStr, Value};

/// What a reply means, whatever the dialect it is written in.
///
/// Parts that were read from a text know where they stand in it; those of a turn that was made otherwise
/// stand nowhere. [`crate::Dialect::write`] makes a text of either.
///
/// ```
/// use toolrl_grammar::{Call, Dialect, ToolRl, Turn, json};
///
/// let arguments = json::parse(r#"{"city": "Rome"}"#).unwrap();
/// let call = Call::new("weather", arguments.as_object().cloned().unwrap());
/// let turn = Turn { thoughts: Some("I ask.".into()), calls: vec![call], response: None };
/// assert_eq!(
///     ToolRl.write(&turn).unwrap(),
///     "<think> I ask. </think>\n<tool_call>\n\
///      {\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}\n</tool_call>"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Turn<'a> {
    /// What it thinks first.
    pub thoughts: Option<Passage<'a>>,
    /// The calls it makes, in order.
    pub calls: Vec<Call<'a>>,
    /// What it answers in words.
    pub response: Option<Passage<'a>>,
}

/// A piece of text, without white space around it.
#[derive(Clone, Debug)]
pub struct Passage<'a> {
    /// What it says.
    pub text: PyStr<'a>,
    /// Where it stands in the text that it was read from.
    pub span: Option<Span>,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The tool's name.
    pub name: PyStr<'a>,
    /// The arguments by their parameters' names, in the order they were given in.
    pub arguments: Object<'a>,
    /// What the call is called, in dialects that name calls so that results can name them.
    pub id: Option<PyStr<'a>>,
    /// Where it stands in the text that it was read from.
    pub span: Option<Span>,
}

/// Which parts a reply has, beside its thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyKind {
    /// Tool calls only.
    ToolCall,
    /// A response only.
    Response,
    /// Tool calls and a response.
    Both,
    /// Neither.
    Thoughts,
}

impl Turn<'_> {
    /// Which parts it has.
    pub fn kind(&self) -> ReplyKind {
        ReplyKind::with(!self.calls.is_empty(), self.response.is_some())
    }

    /// The same turn, borrowing nothing.
    pub fn into_owned(self) -> Turn<'static> {
        Turn {
            thoughts: self.thoughts.map(Passage::into_owned),
            calls: self.calls.into_iter().map(Call::into_owned).collect(),
            response: self.response.map(Passage::into_owned),
        }
    }
}

impl Passage<'_> {
    /// Its text in generalised UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The same passage, borrowing nothing.
    pub fn into_owned(self) -> Passage<'static> {
        Passage { text: self.text.into_owned(), span: self.span }
    }
}

impl<'a, T: Into<PyStr<'a>>> From<T> for Passage<'a> {
    fn from(text: T) -> Self {
        Self { text: text.into(), span: None }
    }
}

impl<'a> Call<'a> {
    /// A call that stands in no text.
    pub fn new(name: impl Into<PyStr<'a>>, arguments: Object<'a>) -> Self {
        Self { name: name.into(), arguments, id: None, span: None }
    }

    /// The value of an argument.
    pub fn argument(&self, name: impl AsRef<[u8]>) -> Option<&Value<'a>> {
        self.arguments.get(name.as_ref())
    }

    /// The same call, borrowing nothing.
    pub fn into_owned(self) -> Call<'static> {
        let owned = |(key, value): (PyStr<'_>, Value<'_>)| (key.into_owned(), value.into_owned());
        Call {
            name: self.name.into_owned(),
            arguments: self.arguments.into_iter().map(owned).collect(),
            id: self.id.map(PyStr::into_owned),
            span: self.span,
        }
    }
}

impl ReplyKind {
    /// The kind of a reply with these parts.
    pub(crate) fn with(calls: bool, response: bool) -> Self {
        match (calls, response) {
            (true, true) => Self::Both,
            (true, false) => Self::ToolCall,
            (false, true) => Self::Response,
            (false, false) => Self::Thoughts,
        }
    }
}
