//! The productions of messages.

use super::super::native::Reading;
use super::super::productions::{Found, arguments, consumed, literal, space};
use super::super::{Parsed, TurnPart};
use super::{CALL, CHANNEL, CONSTRAIN, END, Harmony, MESSAGE, RETURN, START};
use crate::fault::{Failed, Parse, fail};
use crate::json::PyStr;
use crate::{Call, Span, SyntaxErrorKind, text};

/// What ends a message.
const ENDS: [&str; 3] = [END, CALL, RETURN];

/// `reply = [start] message {start message}`
pub(super) fn parse<'a>(harmony: &'a Harmony, whole: &'a [u8]) -> Parsed<'a> {
    let mut reading = Reading::new(whole);
    let text = text::strip(whole);
    let begins = |tag: &str| text.starts_with(tag.as_bytes()) || tag.as_bytes().starts_with(text);
    if ![CHANNEL, START, "to="].into_iter().any(begins) {
        reading.foreign = true;
        let kind = SyntaxErrorKind::ExpectedLiteral { literal: CHANNEL };
        reading.fault(TurnPart::Response, Failed { at: text, len: text.len(), kind });
        return reading.finish(harmony);
    }
    let mut rest = literal(START, text).map_or(text, |(rest, ())| rest);
    loop {
        let outcome = message(rest, &mut reading).and_then(|(after, ())| match space(after) {
            after @ [] => Ok((after, ())),
            after => literal(START, after),
        });
        match outcome {
            Ok(([], ())) => break,
            Ok((after, ())) => rest = after,
            Err(nom::Err::Incomplete(_)) => break,
            Err(nom::Err::Error(failed) | nom::Err::Failure(failed)) => {
                // The next message is read all the same.
                let from = Span::within(rest, failed.at).start + failed.len;
                reading.fault(TurnPart::Calls, failed);
                let after = rest.get(from..).unwrap_or_default();
                match crate::tags::find(after, START) {
                    Some(at) => rest = &after[at + START.len()..],
                    None => break,
                }
            }
        }
    }
    reading.finish(harmony)
}

/// `message = header "<|message|>" (arguments | text) [end]`
fn message<'a>(input: &'a [u8], reading: &mut Reading<'a>) -> Parse<'a, ()> {
    let (rest, header) = header(input)?;
    if let Some(name) = header.recipient {
        let (after, arguments) = arguments(rest)?;
        let rest = space(rest);
        let text = consumed(rest, after);
        reading.call(Found { text, call: Call::new(PyStr(name.into()), arguments), odd: None });
        return end(after);
    }
    let (at, closed) = content_end(rest);
    let (content, after) = rest.split_at(at);
    match header.channel {
        b"analysis" if reading.turn.thoughts.is_none() => {
            reading.turn.thoughts = Some(reading.passage(content));
            if closed.is_none() {
                let kind = SyntaxErrorKind::MissingTag { tag: END };
                reading.fault(TurnPart::Thoughts, Failed { at: input, len: input.len(), kind });
                return Ok((&input[input.len()..], ()));
            }
        }
        b"final" | b"commentary" if reading.turn.response.is_none() => reading.words(content),
        b"analysis" | b"final" | b"commentary" => {
            return fail(content, content.len(), SyntaxErrorKind::TrailingText);
        }
        _ => return fail(input, 1, SyntaxErrorKind::ExpectedLiteral { literal: "final" }),
    }
    match closed {
        None if !after.is_empty() => fail(after, after.len(), SyntaxErrorKind::MissingTag { tag: END }),
        _ => Ok((&after[closed.unwrap_or_default()..], ())),
    }
}

/// A message's end, or the text's.
fn end(input: &[u8]) -> Parse<'_, ()> {
    let rest = space(input);
    let end = ENDS.iter().find_map(|end| rest.strip_prefix(end.as_bytes()));
    match end {
        Some(rest) => Ok((rest, ())),
        None if rest.is_empty() => Ok((rest, ())),
        None => fail(rest, 1, SyntaxErrorKind::ExpectedLiteral { literal: CALL }),
    }
}

/// Where the text of a message ends, and how long what ends it is.
fn content_end(text: &[u8]) -> (usize, Option<usize>) {
    let ends = |at: usize| ENDS.iter().find(|end| text[at..].starts_with(end.as_bytes()));
    let end = memchr::memchr_iter(b'<', text).find_map(|at| Some((at, ends(at)?.len())));
    if let Some((at, len)) = end {
        return (at, Some(len));
    }
    let begun = memchr::memrchr(b'<', text).filter(|&at| END.as_bytes().starts_with(&text[at..]));
    (begun.unwrap_or(text.len()), None)
}

/// What stands before a message's text.
struct Header<'a> {
    channel: &'a [u8],
    /// The function that is called.
    recipient: Option<&'a [u8]>,
}

/// `header = [" to=" recipient] "<|channel|>" channel [" to=" recipient] [" " ["<|constrain|>"] "json"]`
fn header(input: &[u8]) -> Parse<'_, Header<'_>> {
    let (rest, first) = recipient(input)?;
    let (rest, ()) = literal(CHANNEL, rest)?;
    let (rest, channel) = word(rest)?;
    let (rest, second) = recipient(rest)?;
    let (rest, _) = optional(CONSTRAIN, rest)?;
    let (rest, _) = optional("json", rest)?;
    let (rest, ()) = literal(MESSAGE, rest)?;
    Ok((rest, Header { channel, recipient: first.or(second) }))
}

/// `recipient = ["to=" ["functions."] name]`
fn recipient(input: &[u8]) -> Parse<'_, Option<&[u8]>> {
    match optional("to=", input)? {
        (rest, true) => {
            let (rest, name) = word(rest)?;
            Ok((rest, Some(name.strip_prefix(b"functions.").unwrap_or(name))))
        }
        (rest, false) => Ok((rest, None)),
    }
}

/// The literal, or nothing; but not a beginning of it that the text ends in.
fn optional<'a>(word: &'static str, input: &'a [u8]) -> Parse<'a, bool> {
    match literal(word, input) {
        Ok((rest, ())) => Ok((rest, true)),
        Err(_) if word.as_bytes().starts_with(space(input)) => {
            fail(input, input.len(), SyntaxErrorKind::MissingTag { tag: MESSAGE })
        }
        Err(_) => Ok((input, false)),
    }
}

/// Up to white space or a tag.
fn word(input: &[u8]) -> Parse<'_, &[u8]> {
    let end = input.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'<');
    match end {
        Some(0) => fail(input, 1, SyntaxErrorKind::ExpectedName),
        Some(end) => Ok((&input[end..], &input[..end])),
        None => fail(&input[input.len()..], 0, SyntaxErrorKind::ExpectedName),
    }
}
