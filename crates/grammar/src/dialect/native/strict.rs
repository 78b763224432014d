//! The strict reading: a whole reply with the parts of its kind, and no others.

use super::super::{Layout, Outcome, Parsed, TurnPart};
use crate::{ReplyKind, Span, SyntaxError, SyntaxErrorKind};

/// Where the parts of a whole reply stand.
pub(crate) fn strict(parsed: &Parsed<'_>, kind: ReplyKind) -> Result<Layout, SyntaxError> {
    if parsed.outcome != Outcome::Whole
        && let Some(fault) = parsed.faults.first()
    {
        return Err(fault.error.clone());
    }
    let turn = &parsed.turn;
    let calls = turn.calls.first().zip(turn.calls.last()).and_then(|(first, last)| {
        let (first, last) = (first.span?, last.span?);
        Some(Span::new(first.start, last.end))
    });
    let response = turn.response.as_ref().and_then(|response| response.span);
    let (has_calls, has_response) = match kind {
        ReplyKind::ToolCall => (true, false),
        ReplyKind::Response => (false, true),
        ReplyKind::Both => (true, true),
        ReplyKind::Thoughts => (false, false),
    };
    expect(parsed, TurnPart::Calls, has_calls, calls)?;
    expect(parsed, TurnPart::Response, has_response, response)?;
    let thoughts = turn.thoughts.as_ref().and_then(|thoughts| thoughts.span);
    Ok(Layout { thoughts, tool_calls: calls, response })
}

fn expect(
    parsed: &Parsed<'_>,
    part: TurnPart,
    is_wanted: bool,
    span: Option<Span>,
) -> Result<(), SyntaxError> {
    let end = parsed.text.len();
    match span {
        None if is_wanted => {
            Err(SyntaxError { kind: SyntaxErrorKind::MissingPart { part }, span: Span::new(end, end) })
        }
        Some(span) if !is_wanted => Err(SyntaxError { kind: SyntaxErrorKind::UnwantedPart { part }, span }),
        _ => Ok(()),
    }
}
