//! Productions that several dialects share.

mod object;
mod python;

use crate::fault::{Parse, fail};
use crate::{Call, SyntaxErrorKind, tags};

pub(super) use crate::json::space;
pub(super) use object::{Keys, arguments, list, list_text, object, object_text};
pub(super) use python::{is_plain, list as python_list, list_text as python_list_text, opens_list};

/// A call that was read.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The text that says it.
    pub text: &'a [u8],
    /// The call.
    pub call: Call<'a>,
    /// What is wrong with it, where it is a call all the same.
    pub odd: Option<SyntaxErrorKind>,
}

/// Reads a piece of a reply that holds calls, and puts those that are whole to the others.
pub(super) type Block = for<'a> fn(&'a [u8], &mut Vec<Found<'a>>) -> Parse<'a, ()>;

/// The literal, after white space.
pub(super) fn literal<'a>(literal: &'static str, input: &'a [u8]) -> Parse<'a, ()> {
    exact(literal, space(input))
}

/// The literal, with nothing before it.
pub(super) fn exact<'a>(literal: &'static str, input: &'a [u8]) -> Parse<'a, ()> {
    match input.strip_prefix(literal.as_bytes()) {
        Some(rest) => Ok((rest, ())),
        None => fail(input, 1, SyntaxErrorKind::ExpectedLiteral { literal }),
    }
}

/// Everything up to the literal, which is read too. Without one the rest of the text is at fault.
pub(super) fn until<'a>(tag: &'static str, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
    match tags::find(input, tag) {
        Some(at) => Ok((&input[at + tag.len()..], &input[..at])),
        None => fail(input, input.len(), SyntaxErrorKind::MissingTag { tag }),
    }
}

/// Everything up to one literal, in which the other does not stand.
pub(super) fn until_without<'a>(tag: &'static str, other: &str, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
    let (rest, part) = until(tag, input)?;
    match tags::find(part, other) {
        Some(at) => fail(&part[at..], 1, SyntaxErrorKind::ExpectedLiteral { literal: tag }),
        None => Ok((rest, part)),
    }
}

/// A name that ends before one of these bytes, without white space around it. It stands on one line, and holds none
/// of the marks of a syntax: brackets, quotes, commas.
pub(super) fn name<'a>(ends: &[u8], input: &'a [u8]) -> Parse<'a, &'a [u8]> {
    let input = space(input);
    let end = input.iter().position(|byte| ends.contains(byte) || *byte == b'\n');
    let (name, rest) = input.split_at(end.unwrap_or(input.len()));
    let name = crate::text::strip(name);
    match end {
        Some(_) if !name.is_empty() && !name.iter().any(|byte| b"{}[]<>|\"'`=,\\".contains(byte)) => {
            Ok((space(rest), name))
        }
        Some(_) => fail(input, 1, SyntaxErrorKind::ExpectedName),
        None => fail(rest, 0, SyntaxErrorKind::ExpectedName),
    }
}

/// What was read of `input` before `rest`.
pub(super) fn consumed<'a>(input: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &input[..input.len() - rest.len()]
}
