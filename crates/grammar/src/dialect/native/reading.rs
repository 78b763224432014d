//! What has been read of a reply so far, and what is wrong with it.

use std::borrow::Cow;

use super::super::productions::{Found, is_plain, space};
use super::super::{Dialect, Fault, Outcome, Parsed, TurnPart};
use crate::fault::Failed;
use crate::json::PyStr;
use crate::{Call, Passage, Span, SyntaxError, SyntaxErrorKind, Turn, pythonic, text};

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
