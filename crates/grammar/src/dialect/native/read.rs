//! A reply with its parts, read one after the other.

use std::borrow::Cow;

use super::super::productions::{Found, is_plain, space};
use super::super::{DIALECTS, Dialect, Fault, Outcome, Parsed, TurnPart};
use super::{Native, Words};
use crate::fault::Failed;
use crate::json::PyStr;
use crate::{Call, Passage, Span, SyntaxError, SyntaxErrorKind, Turn, pythonic, tags, text};

/// `reply = [thoughts] [words] {block}`
pub(super) fn parse<'a>(native: &'a Native, whole: &'a [u8]) -> Parsed<'a> {
    let mut reading = Reading::new(whole);
    let text = native.without_end(whole);
    reading.ended = text.len() < text::strip(whole).len();
    if text.is_empty() {
        let kind = SyntaxErrorKind::MissingPart { part: TurnPart::Response };
        reading.fault(TurnPart::Response, Failed { at: text, len: 0, kind });
        return reading.finish(native);
    }
    let body = thoughts(native, &mut reading, text);
    let start = if (native.bare)(body) { Some(0) } else { native.mark(body) };
    match start {
        Some(start) => {
            reading.words(&body[..start]);
            calls(native, &mut reading, &body[start..]);
        }
        None => words(native, &mut reading, body),
    }
    reading.finish(native)
}

/// `thoughts = [open] text close`: what is left after them.
fn thoughts<'a>(native: &Native, reading: &mut Reading<'a>, text: &'a [u8]) -> &'a [u8] {
    let tags = native.thoughts.tags;
    let missing = |tag| SyntaxErrorKind::MissingTag { tag };
    if let Some(inner) = text.strip_prefix(tags.open.as_bytes()) {
        if let Some(at) = tags::find(inner, tags.close) {
            reading.turn.thoughts = Some(reading.passage(&inner[..at]));
            return text::strip(&inner[at + tags.close.len()..]);
        }
        // They end where calls begin, or were cut off.
        let end = native.mark(inner).unwrap_or(inner.len());
        let (at, len) = if end < inner.len() { (text, tags.open.len()) } else { (text, text.len()) };
        reading.fault(TurnPart::Thoughts, Failed { at, len, kind: missing(tags.close) });
        reading.turn.thoughts = Some(reading.passage(without_begun(&inner[..end], tags.close)));
        return &inner[end..];
    }
    if tags.open.as_bytes().starts_with(text) {
        reading.fault(TurnPart::Thoughts, Failed { at: text, len: text.len(), kind: missing(tags.open) });
        return &text[text.len()..];
    }
    let opened = tags::find(text, tags.close).filter(|&at| native.mark(&text[..at]).is_none());
    match opened {
        Some(at) if !(native.bare)(text) => {
            reading.turn.thoughts = Some(reading.passage(&text[..at]));
            text::strip(&text[at + tags.close.len()..])
        }
        _ => text,
    }
}

/// A text without the beginning of a tag at its end.
fn without_begun<'a>(text: &'a [u8], tag: &str) -> &'a [u8] {
    let begun = memchr::memrchr(tag.as_bytes()[0], text);
    begun.filter(|&at| tag.as_bytes().starts_with(&text[at..])).map_or(text, |at| &text[..at])
}

/// Words without calls.
fn words<'a>(native: &Native, reading: &mut Reading<'a>, text: &'a [u8]) {
    let own = |mark: &&str| native.marks.contains(mark);
    let mut marks = DIALECTS.iter().flat_map(|dialect| dialect.marks()).filter(|mark| !own(mark));
    if let Some(mark) = marks.find(|mark| text.starts_with(mark.as_bytes())) {
        reading.foreign = true;
        let kind = SyntaxErrorKind::ForeignMark { mark };
        reading.fault(TurnPart::Calls, Failed { at: text, len: mark.len(), kind });
    } else if let Some((at, mark)) = native.begun(text) {
        reading.words(&text[..at]);
        let kind = SyntaxErrorKind::MissingTag { tag: mark };
        reading.fault(TurnPart::Calls, Failed { at: &text[at..], len: text.len() - at, kind });
    } else {
        reading.words(text);
    }
}

/// `{block}`, with what stands between and behind them.
fn calls<'a>(native: &Native, reading: &mut Reading<'a>, text: &'a [u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        let mut found = Vec::new();
        let outcome = (native.block)(rest, &mut found);
        found.into_iter().for_each(|found| reading.call(found));
        match outcome {
            Ok((after, ())) => {
                let after = text::strip(after);
                let next = native.mark(after).unwrap_or(after.len());
                between(native, reading, &after[..next], next == after.len());
                rest = &after[next..];
            }
            Err(nom::Err::Incomplete(_)) => return,
            Err(nom::Err::Error(failed) | nom::Err::Failure(failed)) => {
                let end = Span::within(rest, failed.at).start + failed.len;
                reading.fault(TurnPart::Calls, failed);
                let after = rest.get(end.max(1)..).unwrap_or_default();
                rest = native.mark(after).map_or(&[], |next| &after[next..]);
            }
        }
    }
}

/// What stands behind a block of calls.
fn between<'a>(native: &Native, reading: &mut Reading<'a>, text: &'a [u8], is_last: bool) {
    if text.is_empty() {
        return;
    }
    if let Some((0, mark)) = native.begun(text) {
        let kind = SyntaxErrorKind::MissingTag { tag: mark };
        reading.fault(TurnPart::Calls, Failed { at: text, len: text.len(), kind });
    } else if is_last && native.words == Words::Behind && reading.turn.response.is_none() {
        reading.words(text);
    } else {
        let kind = SyntaxErrorKind::TrailingText;
        reading.fault(TurnPart::Response, Failed { at: text, len: text.len(), kind });
    }
}

/// What has been read of a text.
pub(crate) struct Reading<'a> {
    text: &'a [u8],
    /// Where the text ends, white space aside.
    end: usize,
    pub turn: Turn<'a>,
    faults: Vec<Fault>,
    /// Whether the text is of another dialect.
    pub foreign: bool,
    /// Whether the turn was ended, so that nothing of it was cut off.
    pub ended: bool,
    /// Where it is broken, and not only cut off.
    malformed: Option<usize>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            end: Span::within(text, text::strip(text)).end,
            turn: Turn::default(),
            faults: Vec::new(),
            foreign: false,
            ended: false,
            malformed: None,
        }
    }

    /// A part of the text as a passage.
    pub(crate) fn passage(&self, part: &'a [u8]) -> Passage<'a> {
        let part = text::strip(part);
        Passage { text: PyStr(Cow::Borrowed(part)), span: Some(Span::within(self.text, part)) }
    }

    /// Takes words, if there are any, for the response.
    pub(crate) fn words(&mut self, part: &'a [u8]) {
        let passage = self.passage(part);
        self.turn.response = (!passage.as_bytes().is_empty()).then_some(passage);
    }

    /// Takes a call.
    pub(crate) fn call(&mut self, found: Found<'a>) {
        self.turn.calls.push(Call { span: Some(Span::within(self.text, found.text)), ..found.call });
        if let Some(kind) = found.odd {
            self.fault(TurnPart::Calls, Failed { at: found.text, len: found.text.len(), kind });
        }
    }

    /// Takes what is wrong with a part.
    pub(crate) fn fault(&mut self, part: TurnPart, failed: Failed<'a>) {
        let start = Span::within(self.text, failed.at).start;
        let span = Span::new(start, (start + failed.len).min(self.text.len()));
        let to_end = text::strip(self.text.get(span.end..self.end).unwrap_or_default()).is_empty();
        if self.ended || !is_cut(&failed, to_end) {
            self.malformed = self.malformed.or(Some(start));
        }
        self.faults.push(Fault { part, error: SyntaxError { kind: failed.kind, span } });
    }

    pub(crate) fn finish(self, dialect: &'a dyn Dialect) -> Parsed<'a> {
        let outcome = match self.malformed {
            _ if self.foreign => Outcome::Foreign,
            Some(at) => Outcome::Malformed { at },
            None if self.faults.is_empty() => Outcome::Whole,
            None => Outcome::Incomplete,
        };
        Parsed { text: self.text, dialect, turn: self.turn, outcome, faults: self.faults }
    }
}

/// Whether a production failed only because the text ends.
fn is_cut(failed: &Failed<'_>, to_end: bool) -> bool {
    /// Beginnings of values that more text would make whole.
    const BEGUN: [&str; 9] =
        ["null", "true", "false", "NaN", "Infinity", "-Infinity", "True", "False", "None"];
    const NUMBER: [&[u8]; 9] = [b"-", b"+", b".", b"e", b"E", b"e-", b"e+", b"E-", b"E+"];
    let rest = space(failed.at);
    match &failed.kind {
        SyntaxErrorKind::UnterminatedString => true,
        SyntaxErrorKind::ExpectedPythonKey if pythonic::ends_in_key(rest) => true,
        SyntaxErrorKind::MissingTag { .. } | SyntaxErrorKind::MissingPart { .. } => to_end,
        SyntaxErrorKind::InvalidEscape => to_end && rest.iter().skip(2).all(u8::is_ascii_hexdigit),
        SyntaxErrorKind::ExpectedLiteral { literal } => {
            [failed.at, rest].iter().any(|rest| literal.as_bytes().starts_with(rest))
        }
        // A name that the text ends in.
        SyntaxErrorKind::ExpectedCall => rest.iter().all(|byte| is_plain(byte, b"_-.:/&+ ()")),
        SyntaxErrorKind::ExpectedParameter => rest.iter().all(|byte| is_plain(byte, b"_-.$@ ")),
        SyntaxErrorKind::TrailingText | SyntaxErrorKind::CallKey { .. } => false,
        _ if rest.is_empty() || NUMBER.contains(&rest) => true,
        _ => BEGUN.iter().any(|value| value.as_bytes().starts_with(rest)),
    }
}
