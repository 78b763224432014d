//! What is wrong with a text, and where.

use nom::error::{ErrorKind, ParseError};

use crate::{Span, TurnPart};

/// A text that is not what it should be, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (bytes {span})")]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxErrorKind,
    /// Where, in the text that was parsed.
    pub span: Span,
}

/// What can be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// No JSON value stands where one must.
    #[error("expected a JSON value")]
    ExpectedValue,
    /// An object's key must be a string.
    #[error("expected a key in double quotes")]
    ExpectedKey,
    /// A key without its colon.
    #[error("expected ':' after a key")]
    ExpectedColon,
    /// Neither a comma nor the end of a list or object.
    #[error("expected ',' or '{close}'")]
    ExpectedComma {
        /// What would close the container.
        close: char,
    },
    /// Text after the end of a JSON value.
    #[error("text after the end of the JSON value")]
    TrailingText,
    /// A byte-order mark before a JSON value.
    #[error("byte-order mark before the JSON value")]
    ByteOrderMark,
    /// A string that does not end.
    #[error("string without its closing quote")]
    UnterminatedString,
    /// A control character that a string must escape.
    #[error("control character {byte:#04x} in a string")]
    ControlCharacter {
        /// The character.
        byte: u8,
    },
    /// A backslash sequence that JSON does not have.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// An integer beyond Python's limit on digits.
    #[error("integer of {digits} digits, more than {limit}")]
    IntegerTooLong {
        /// Its digits.
        digits: usize,
        /// The most that are read: [`crate::json::MAX_INTEGER_DIGITS`].
        limit: usize,
    },
    /// Lists and objects nested too deeply.
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The deepest that is read: [`crate::json::MAX_DEPTH`].
        limit: usize,
    },
    /// No list of calls in brackets stands where one must.
    #[error("expected '[' and a list of calls")]
    ExpectedCalls,
    /// What stands there is no name with arguments in parentheses.
    #[error("expected a call: a name, then `(` and arguments or `)`")]
    ExpectedCall,
    /// No name stands where one must, or one with brackets, quotes or commas in it.
    #[error("expected a name")]
    ExpectedName,
    /// An argument that does not begin with its parameter's name.
    #[error("expected a parameter's name and '='")]
    ExpectedParameter,
    /// A parameter that a call gives twice.
    #[error("the parameter is given twice")]
    RepeatedParameter,
    /// No Python literal stands where one must.
    #[error("expected a Python literal")]
    ExpectedPythonLiteral,
    /// A dictionary's key that has no place in JSON.
    #[error("expected a string, a number, True, False or None as a key, and ':'")]
    ExpectedPythonKey,
    /// A call that is no object.
    #[error("a call must be an object")]
    CallNotAnObject,
    /// A call without this key, or with something else there.
    #[error("\"{key}\" of a call must be {expected}")]
    CallKey {
        /// The key.
        key: &'static str,
        /// What must stand there.
        expected: &'static str,
    },
    /// A call with a key that the dialect's calls do not have.
    #[error("a call has no keys beside its name and its arguments")]
    UnknownCallKey,
    /// A tag that must be there is not.
    #[error("{tag} is missing")]
    MissingTag {
        /// The tag.
        tag: &'static str,
    },
    /// A tag that must be there exactly once is there more often.
    #[error("{tag} stands {count} times, not once")]
    RepeatedTag {
        /// The tag.
        tag: &'static str,
        /// How often it is there.
        count: usize,
    },
    /// A reply that begins with what marks calls in another dialect.
    #[error("{mark} marks calls of another dialect")]
    ForeignMark {
        /// The mark.
        mark: &'static str,
    },
    /// A reply without a part that its kind has.
    #[error("the reply has no {part}")]
    MissingPart {
        /// The part.
        part: TurnPart,
    },
    /// A reply with a part that its kind does not have.
    #[error("the reply should have no {part}")]
    UnwantedPart {
        /// The part.
        part: TurnPart,
    },
    /// The text does not begin or go on with the literal that its kind of reply needs.
    #[error("expected {literal:?}")]
    ExpectedLiteral {
        /// The literal.
        literal: &'static str,
    },
}

/// A failure inside a production: what is wrong, and the input from there on.
#[derive(Debug, PartialEq)]
pub(crate) struct Failed<'a> {
    pub at: &'a [u8],
    pub len: usize,
    pub kind: SyntaxErrorKind,
}

/// What a production returns: the rest of the input and what it read.
pub(crate) type Parse<'a, T> = nom::IResult<&'a [u8], T, Failed<'a>>;

impl<'a> ParseError<&'a [u8]> for Failed<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        Self { at, len: 1, kind: SyntaxErrorKind::ExpectedValue }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Fails at `at`, over `len` bytes of it.
pub(crate) fn fail<T>(at: &[u8], len: usize, kind: SyntaxErrorKind) -> Parse<'_, T> {
    Err(nom::Err::Error(Failed { at, len, kind }))
}

/// The outcome of a production over the whole of `text`, with its span.
pub(crate) fn finish<'a, T>(text: &'a [u8], outcome: Parse<'a, T>) -> Result<T, SyntaxError> {
    let fault = match outcome {
        Ok(([], value)) => return Ok(value),
        Ok((rest, _)) => Failed { at: rest, len: rest.len(), kind: SyntaxErrorKind::TrailingText },
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => fault,
        Err(nom::Err::Incomplete(_)) => {
            Failed { at: &text[text.len()..], len: 0, kind: SyntaxErrorKind::ExpectedValue }
        }
    };
    let start = Span::within(text, fault.at).start;
    let span = Span::new(start, (start + fault.len).min(text.len()));
    Err(SyntaxError { kind: fault.kind, span })
}
