//! Explanations as one page that needs no network: a card a row.

mod marks;

use minijinja::{Environment, Value, context};
use toolrl_grammar::{Span, text};
use toolrl_reward::{Breakdown, Loss, Outcome, ScoredTerm, explain};

use crate::{Row, Scored, WorkbenchError};
use marks::{Mark, Part, Verdict, marks};

/// The page. Its name's ending has the values in it escaped.
const PAGE: (&str, &str) = ("page.html", include_str!("page.html"));
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The longest reply, in bytes, that a page shows in full.
const LONGEST: usize = 20_000;

/// A page of explained rows.
#[derive(Debug, Default)]
pub struct Page {
    cards: Vec<Value>,
    total: f64,
}

impl Page {
    /// A page without a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows on it.
    pub fn rows(&self) -> usize {
        self.cards.len()
    }

    /// Adds a row that was scored.
    pub fn add(&mut self, row: &Row, scored: &Scored) {
        let Scored { reference, score, range } = scored;
        let parsed = reference.read(row.reply.as_deref().unwrap_or_default());
        self.total += score.total;
        let (reply, reply_left) = cut(parsed.text);
        let (gold, reference_left) = cut(reference.text());
        self.cards.push(context! {
            row => row.number,
            label => row.label(),
            score => score.total,
            class => if score.total >= range.1 - 1e-9 { "earned" } else { "lost" },
            total => format!("{:.3}", score.total),
            range => format!("[{:.3}, {:.3}]", range.0, range.1),
            chips => score.terms.iter().map(chip).collect::<Vec<_>>(),
            pieces => pieces(reply, &marks(&parsed, reference, score)),
            reply_left,
            missing => missing(&score.terms),
            reference => text::lossy(gold),
            reference_left,
            points => explain(&parsed, reference, score),
        });
    }

    /// Adds a row that has no score.
    pub fn add_unscorable(&mut self, row: &Row, error: &str) {
        self.cards.push(context! { row => row.number, label => row.label(), error });
    }

    /// The whole page. Any text of the rows is escaped, and characters that HTML forbids become U+FFFD.
    ///
    /// # Errors
    /// [`WorkbenchError::Page`], which would be a fault of the template.
    pub fn finish(&self, title: &str) -> Result<String, WorkbenchError> {
        let mut environment = Environment::new();
        environment.add_template(PAGE.0, PAGE.1)?;
        let mean = format!("{:.3}", self.total / self.rows().max(1) as f64);
        let page = environment.get_template(PAGE.0)?;
        let page = page.render(
            context! { title, mean, cards => self.cards.clone(), style => STYLE, script => SCRIPT },
        )?;
        let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        // Rendering drops the last line's end.
        Ok(page.replace(forbidden, "\u{fffd}") + "\n")
    }
}

/// A term in a few words.
fn chip(term: &ScoredTerm) -> Value {
    let full = term.range.1;
    let class = match &term.failure {
        Some(_) => "lost",
        None if term.weight == 0.0 => "logged",
        None if (term.score.value - full).abs() < 1e-9 => "earned",
        None => "lost",
    };
    let weight = if term.weight == 1.0 { String::new() } else { format!(" × {}", term.weight) };
    let failure =
        term.failure.as_ref().map_or(String::new(), |failure| format!(" failed: {}", failure.cause));
    context! { class, words => format!("{} {:.3} of {full}{weight}{failure}", term.id, term.score.value) }
}

/// What the reply lacks, which has no place in it.
fn missing(terms: &[ScoredTerm]) -> Vec<String> {
    let mut missing = Vec::new();
    for term in terms {
        let Breakdown::Correctness(Outcome::Compared(comparison)) = &term.score.breakdown else {
            continue;
        };
        for (call, place) in comparison.calls.iter().zip(1..) {
            let keys = call.losses.iter().filter_map(|loss| match loss {
                Loss::MissingKey(key) => Some(format!("\"{key}\"")),
                _ => None,
            });
            let keys: Vec<String> = keys.collect();
            if call.matched.is_none() {
                missing.push(format!("call {place} of the reference is matched with none of the reply"));
            } else if !keys.is_empty() {
                missing.push(format!("missing of call {place} of the reference: {}", keys.join(", ")));
            }
        }
    }
    missing
}

/// A text in pieces: those with a mark have its class and its note.
fn pieces(text: &[u8], marks: &[Mark]) -> Vec<Value> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let piece = |from: usize, to: usize| text::lossy(Span::new(from, to).of(text));
    for mark in marks.iter().filter(|mark| mark.span.end <= text.len()) {
        let part = match mark.part {
            Part::Tag => "tag",
            Part::Fault => "fault",
            Part::Name => "name",
            Part::Key => "key",
            Part::Value => "value",
            Part::Call => "call",
        };
        let verdict = match mark.verdict {
            Verdict::Earned => "earned",
            Verdict::Lost => "lost",
            Verdict::Neutral => "logged",
        };
        pieces.push(context! { text => piece(at, mark.span.start) });
        let text = piece(mark.span.start, mark.span.end);
        pieces.push(context! { text, class => format!("{part} {verdict}"), note => mark.note.as_str() });
        at = mark.span.end;
    }
    pieces.push(context! { text => piece(at, text.len()) });
    pieces
}

/// A text's beginning, and how many bytes are left of it.
fn cut(text: &[u8]) -> (&[u8], usize) {
    let (start, rest) = text.split_at(text.len().min(LONGEST));
    (start, rest.len())
}
