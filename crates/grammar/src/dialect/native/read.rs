//! A reply with its parts, read one after the other.

use super::super::{DIALECTS, Parsed, TurnPart};
use super::{Native, Reading, Words};
use crate::fault::Failed;
use crate::{Span, SyntaxErrorKind, tags, text};

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
