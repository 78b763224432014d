//! The strict reading: the shape that the format reward pays for.

use nom::{Parser, combinator::map};

use super::super::Layout;
use crate::fault::{Parse, fail, finish};
use crate::tags::{self, RESPONSE, THINK, TOOL_CALL};
use crate::{ReplyKind, Span, SyntaxError, SyntaxErrorKind};

impl ReplyKind {
    /// The tags that a reply of this kind holds exactly once.
    fn single_tags(self) -> &'static [&'static str] {
        match self {
            Self::ToolCall => &[TOOL_CALL.open, TOOL_CALL.close],
            Self::Response => &[RESPONSE.open, RESPONSE.close],
            Self::Both => &[TOOL_CALL.open, TOOL_CALL.close, RESPONSE.open, RESPONSE.close],
            Self::Thoughts => &[],
        }
    }
}

/// Reads `text` as a whole reply of the given kind.
///
/// The thoughts end at the first `</think>` that the next part's opening follows directly, so they
/// may hold further tags. The opening and closing tags of the kind's own parts must be there
/// exactly once; those of other parts, and the thoughts' own, are not counted. What stands between
/// `<tool_call>` and `</tool_call>` need not be JSON.
///
/// # Errors
/// [`SyntaxError`] at the first piece that is missing, or at a tag that is repeated.
///
/// ```
/// use toolrl_grammar::{ReplyKind, strict};
///
/// let layout = strict("<think>a</think>\n<response>b</response>", ReplyKind::Response).unwrap();
/// assert_eq!(layout.thoughts.unwrap().range(), 7..8);
///
/// let error = strict("<think>a</think> <response>b</response>", ReplyKind::Response).unwrap_err();
/// assert_eq!(error.to_string(), "expected \"</think>\\n<response>\" (bytes 7..39)");
/// ```
pub fn strict<T: AsRef<[u8]> + ?Sized>(text: &T, kind: ReplyKind) -> Result<Layout, SyntaxError> {
    let text = text.as_ref();
    let layout = finish(text, reply(text, kind))?;
    for tag in kind.single_tags() {
        once(text, tag)?;
    }
    let at = |part| Span::within(text, part);
    Ok(Layout { thoughts: Some(at(layout.0)), tool_calls: layout.1.map(at), response: layout.2.map(at) })
}

/// Thoughts, lines of calls and response.
type Parts<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

fn reply(input: &[u8], kind: ReplyKind) -> Parse<'_, Parts<'_>> {
    match kind {
        ReplyKind::ToolCall => tool_call_reply(input),
        ReplyKind::Response => response_reply(input),
        ReplyKind::Both => full_reply(input),
        ReplyKind::Thoughts => thoughts_reply(input),
    }
}

/// `"<think>" … "</think>\n<tool_call>\n" … "\n</tool_call>"`
fn tool_call_reply(input: &[u8]) -> Parse<'_, Parts<'_>> {
    let parts = (opening, up_to("</think>\n<tool_call>\n"), up_to_end("\n</tool_call>"));
    map(parts, |((), thoughts, calls)| (thoughts, Some(calls), None)).parse(input)
}

/// `"<think>" … "</think>\n<response>" … "</response>"`
fn response_reply(input: &[u8]) -> Parse<'_, Parts<'_>> {
    let parts = (opening, up_to("</think>\n<response>"), up_to_end(RESPONSE.close));
    map(parts, |((), thoughts, response)| (thoughts, None, Some(response))).parse(input)
}

/// `"<think>" … "</think>\n<tool_call>\n" … "\n</tool_call>\n<response>" … "</response>"`
fn full_reply(input: &[u8]) -> Parse<'_, Parts<'_>> {
    let calls = up_to("\n</tool_call>\n<response>");
    let parts = (opening, up_to("</think>\n<tool_call>\n"), calls, up_to_end(RESPONSE.close));
    map(parts, |((), thoughts, calls, response)| (thoughts, Some(calls), Some(response))).parse(input)
}

/// `"<think>" … "</think>"`
fn thoughts_reply(input: &[u8]) -> Parse<'_, Parts<'_>> {
    map((opening, up_to_end(THINK.close)), |((), thoughts)| (thoughts, None, None)).parse(input)
}

/// `opening = "<think>"`
fn opening(input: &[u8]) -> Parse<'_, ()> {
    match input.strip_prefix(THINK.open.as_bytes()) {
        Some(rest) => Ok((rest, ())),
        None => expected(input, THINK.open),
    }
}

/// Anything, then the first such literal, which is read too.
fn up_to<'a>(literal: &'static str) -> impl Fn(&'a [u8]) -> Parse<'a, &'a [u8]> {
    move |input| match tags::find(input, literal) {
        Some(at) => Ok((&input[at + literal.len()..], &input[..at])),
        None => expected(input, literal),
    }
}

/// Anything, then the literal as the text's end.
fn up_to_end<'a>(literal: &'static str) -> impl Fn(&'a [u8]) -> Parse<'a, &'a [u8]> {
    move |input| match input.strip_suffix(literal.as_bytes()) {
        Some(part) => Ok((&input[input.len()..], part)),
        None => expected(input, literal),
    }
}

fn expected<'a, T>(input: &'a [u8], literal: &'static str) -> Parse<'a, T> {
    fail(input, input.len(), SyntaxErrorKind::ExpectedLiteral { literal })
}

fn once(text: &[u8], tag: &'static str) -> Result<(), SyntaxError> {
    let mut places = tags::find_all(text, tag);
    let (_, Some(second)) = (places.next(), places.next()) else {
        return Ok(());
    };
    let kind = SyntaxErrorKind::RepeatedTag { tag, count: 2 + places.count() };
    Err(SyntaxError { kind, span: Span::new(second, second + tag.len()) })
}
