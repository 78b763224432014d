//! A reply with its parts, read one after the other.

use std::borrow::Cow;

use super::super::{Dialect, Fault, Outcome, Parsed, TurnPart};
use crate::json::{self, Line, PyStr, Value};
use crate::tags::{self, RESPONSE, THINK, TOOL_CALL, Tags};
use crate::{Call, Passage, Span, SyntaxError, SyntaxErrorKind, Turn, text};

/// The parts with the tags around them.
const PARTS: [(TurnPart, Tags); 3] =
    [(TurnPart::Thoughts, THINK), (TurnPart::Calls, TOOL_CALL), (TurnPart::Response, RESPONSE)];

/// Reads part after part. The first of each kind counts; one that is not closed ends where the next part
/// opens, or with the text.
pub(super) fn parse<'a>(dialect: &'a dyn Dialect, whole: &'a [u8]) -> Parsed<'a> {
    let (turn, faults) = (Turn::default(), Vec::new());
    let mut reading = Reading { text: whole, turn, faults, seen: [false; 3], repeated: [false; 3] };
    let mut malformed = None;
    let mut cut = false;
    let mut closes = [true; 3];
    let mut at = 0;
    while let Some((part, opened)) = next_opening(whole, at) {
        let (_, tags) = PARTS[part];
        let start = opened + tags.open.len();
        let closed = if closes[part] { tags::find(&whole[start..], tags.close) } else { None };
        closes[part] = closed.is_some();
        let open_end = || next_opening(whole, start).map_or(whole.len(), |(_, next)| next);
        let end = closed.map_or_else(open_end, |len| start + len);
        at = closed.map_or(end, |len| start + len + tags.close.len());
        cut = closed.is_none() && end == whole.len() && !reading.seen[part];
        let before = reading.faults.len();
        let end = if cut { start + without_tag_begun(&whole[start..], tags.close).len() } else { end };
        reading.part(part, Span::new(start, end), closed.is_some());
        // Of a part that is cut off, its end and its last line say so.
        let is_cut = |fault: &&Fault| cut && reaches(&fault.error, whole);
        let broken = reading.faults[before..].iter().find(|fault| !is_cut(fault));
        malformed = malformed.or(broken.map(|fault| fault.error.span.start));
    }
    let outcome = match malformed {
        _ if reading.seen == [false; 3] && THINK.open.as_bytes().starts_with(whole) => Outcome::Incomplete,
        _ if reading.seen == [false; 3] => Outcome::Foreign,
        _ if !reading.seen[0] => Outcome::Malformed { at: 0 },
        Some(at) => Outcome::Malformed { at },
        None if cut => Outcome::Incomplete,
        None => Outcome::Whole,
    };
    if !reading.seen[0] {
        let error = missing(THINK.open, Span::new(0, 0));
        reading.faults.insert(0, Fault { part: TurnPart::Thoughts, error });
    }
    Parsed { text: whole, dialect, turn: reading.turn, outcome, faults: reading.faults }
}

/// The next tag that opens a part: which of [`PARTS`], and where.
fn next_opening(whole: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = whole.get(from..)?;
    memchr::memchr_iter(b'<', rest).find_map(|at| {
        let opens = |(_, tags): &(TurnPart, Tags)| rest[at..].starts_with(tags.open.as_bytes());
        Some((PARTS.iter().position(opens)?, from + at))
    })
}

/// A text without the beginning of a tag at its end.
fn without_tag_begun<'a>(text: &'a [u8], tag: &str) -> &'a [u8] {
    let begun = memchr::memrchr(b'<', text).filter(|&at| tag.as_bytes().starts_with(&text[at..]));
    begun.map_or(text, |at| &text[..at])
}

/// Whether a fault reaches the text's end, white space aside.
fn reaches(error: &SyntaxError, whole: &[u8]) -> bool {
    let is_end = || text::strip(whole.get(error.span.end..).unwrap_or_default()).is_empty();
    matches!(error.kind, SyntaxErrorKind::MissingTag { .. }) || is_end()
}

struct Reading<'a> {
    text: &'a [u8],
    turn: Turn<'a>,
    faults: Vec<Fault>,
    /// Which of [`PARTS`] were there.
    seen: [bool; 3],
    /// Which of them were there again.
    repeated: [bool; 3],
}

impl<'a> Reading<'a> {
    /// Takes the part that stands in `span`, its tags left out.
    fn part(&mut self, part: usize, span: Span, closed: bool) {
        let (kind, tags) = PARTS[part];
        let opening = Span::new(span.start - tags.open.len(), span.start);
        if std::mem::replace(&mut self.seen[part], true) {
            if !std::mem::replace(&mut self.repeated[part], true) && kind != TurnPart::Thoughts {
                let repeated = SyntaxErrorKind::RepeatedTag { tag: tags.open, count: 2 };
                self.fault(kind, SyntaxError { kind: repeated, span: opening });
            }
            return;
        }
        let inner = text::strip(span.of(self.text));
        let inner_span = Span::within(self.text, inner);
        let passage = Passage { text: PyStr(Cow::Borrowed(inner)), span: Some(inner_span) };
        if !closed {
            let span = if kind == TurnPart::Calls { inner_span } else { opening };
            self.fault(kind, missing(tags.close, span));
        }
        match kind {
            TurnPart::Thoughts => self.turn.thoughts = Some(passage),
            TurnPart::Response => self.turn.response = Some(passage),
            TurnPart::Calls => self.calls(inner, inner_span.start),
        }
    }

    /// `calls = call {"\n" call}`
    fn calls(&mut self, inner: &'a [u8], offset: usize) {
        for line in json::lines(inner) {
            let line = line.map(|line| Line { span: line.span.shifted(offset), ..line });
            match line.map(plain_call) {
                Ok(Ok(call)) => self.turn.calls.push(call),
                Ok(Err(line)) => {
                    let (kind, call) = odd_call(line.value);
                    self.fault(TurnPart::Calls, SyntaxError { kind, span: line.span });
                    self.turn.calls.extend(call.map(|call| Call { span: Some(line.span), ..call }));
                }
                Err(error) => {
                    let span = error.span.shifted(offset);
                    self.fault(TurnPart::Calls, SyntaxError { span, ..error });
                }
            }
        }
    }

    fn fault(&mut self, part: TurnPart, error: SyntaxError) {
        self.faults.push(Fault { part, error });
    }
}

/// The call that a line is: an object of a string `name` and an object `parameters`, and nothing else. Any
/// other line comes back.
///
/// # Errors
/// The line as it is.
pub fn plain_call(mut line: Line<'_>) -> Result<Call<'_>, Line<'_>> {
    if let Value::Object(entries) = &mut line.value
        && entries.len() == 2
        && matches!(entries.get(&b"name"[..]), Some(Value::Str(_)))
        && let Some(Value::Object(arguments)) = entries.get_mut(&b"parameters"[..])
    {
        let arguments = std::mem::take(arguments);
        if let Some(Value::Str(name)) = entries.swap_remove(&b"name"[..]) {
            return Ok(Call { span: Some(line.span), ..Call::new(name, arguments) });
        }
    }
    Err(line)
}

/// What is wrong with a value that is no plain call, and the call that it is all the same.
fn odd_call(value: Value<'_>) -> (SyntaxErrorKind, Option<Call<'_>>) {
    let wrong = |key, expected| SyntaxErrorKind::CallKey { key, expected };
    let Value::Object(mut entries) = value else {
        return (SyntaxErrorKind::CallNotAnObject, None);
    };
    let Some(Value::Str(name)) = entries.swap_remove(&b"name"[..]) else {
        return (wrong("name", "a string"), None);
    };
    let Some(Value::Object(arguments)) = entries.swap_remove(&b"parameters"[..]) else {
        return (wrong("parameters", "an object"), None);
    };
    (SyntaxErrorKind::UnknownCallKey, Some(Call::new(name, arguments)))
}

fn missing(tag: &'static str, span: Span) -> SyntaxError {
    SyntaxError { kind: SyntaxErrorKind::MissingTag { tag }, span }
}
