//! A reply with its parts, read leniently.

use super::lenient::{Block, lenient};
use super::tags::{self, RESPONSE, RESPONSE_END, THINK, THINK_END, TOOL_CALL_END};
use crate::{Span, SyntaxError, SyntaxErrorKind};

/// A reply that was read, with the text it was read from.
#[derive(Clone, Debug)]
pub struct Parsed<'a> {
    /// The text.
    pub text: &'a [u8],
    /// What was found in it.
    pub reply: Reply<'a>,
    /// What is wrong with it, in the order of the parts.
    pub errors: Vec<SyntaxError>,
}

/// The parts of a reply. Spans leave out the tags.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// The first thoughts.
    pub thoughts: Option<Span>,
    /// The first block of calls.
    pub tool_calls: Option<Block<'a>>,
    /// The first response.
    pub response: Option<Span>,
}

/// Reads a reply. It never fails: what is missing or broken is listed in [`Parsed::errors`].
///
/// Thoughts and response reach from their first opening tag to the next closing one, or to the end
/// where that is missing; the calls are [`lenient`]'s.
///
/// ```
/// let parsed = toolrl_grammar::parse("<think> hm <tool_call>\n{\"name\": }\n</tool_call>");
/// let errors: Vec<_> = parsed.errors.iter().map(ToString::to_string).collect();
/// assert_eq!(errors, ["</think> is missing (bytes 0..7)", "expected a JSON value (bytes 32..33)"]);
/// ```
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Parsed<'_> {
    let text = text.as_ref();
    let mut errors = Vec::new();
    let thoughts = part(text, THINK, THINK_END, &mut errors);
    if thoughts.is_none() {
        errors.push(missing(THINK, Span::new(0, 0)));
    }
    let tool_calls = lenient(text);
    if let Some(block) = &tool_calls {
        if !block.has_closing_tag {
            errors.push(missing(TOOL_CALL_END, block.span));
        }
        errors.extend(block.calls.as_ref().err().cloned());
    }
    let response = part(text, RESPONSE, RESPONSE_END, &mut errors);
    Parsed { text, reply: Reply { thoughts, tool_calls, response }, errors }
}

fn part(text: &[u8], open: &'static str, close: &'static str, errors: &mut Vec<SyntaxError>) -> Option<Span> {
    let opened = tags::after(text, open)?;
    let inner = tags::before(opened, close);
    let span = Span::within(text, inner);
    if inner.len() == opened.len() {
        errors.push(missing(close, Span::new(span.start - open.len(), span.start)));
    }
    Some(span)
}

fn missing(tag: &'static str, span: Span) -> SyntaxError {
    SyntaxError { kind: SyntaxErrorKind::MissingTag { tag }, span }
}
