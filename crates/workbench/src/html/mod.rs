//! Explanations as one page that needs no network: a card a row.

mod marks;

use std::fmt::Write as _;

use toolrl_grammar::{Parsed, Span, parse, text};
use toolrl_reward::{Breakdown, Loss, Outcome, ScoredTerm, explain};

use crate::{Row, Scored};
use marks::{Mark, Part, Verdict, marks};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The longest reply, in bytes, that a page shows in full.
const LONGEST: usize = 20_000;

/// A page of explained rows.
#[derive(Debug, Default)]
pub struct Page {
    cards: String,
    rows: usize,
    total: f64,
}

impl Page {
    /// A page without a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows on it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row that was scored.
    pub fn add(&mut self, row: &Row, scored: &Scored) {
        let reply = row.reply.as_deref().unwrap_or_default();
        let parsed = parse(reply);
        let Scored { reference, score, range } = scored;
        self.rows += 1;
        self.total += score.total;
        let chips: String = score.terms.iter().map(chip).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            self.cards,
            "<article data-row=\"{}\" data-score=\"{}\">\n<h2>{} <b class=\"{}\">{:.3}</b> \
             <small>of [{:.3}, {:.3}]</small></h2>\n<p class=\"chips\">{chips}</p>\n\
             <div class=\"pair\"><div><h3>Reply</h3><pre>{}</pre>{}</div>\
             <div><h3>Reference</h3><pre>{}</pre></div></div>\n\
             <details><summary>Every point</summary><pre>{}</pre></details>\n</article>\n",
            row.number,
            score.total,
            escape(&row.label()),
            if score.total >= range.1 - 1e-9 { "earned" } else { "lost" },
            score.total,
            range.0,
            range.1,
            marked(&parsed, &marks(&parsed, reference, score)),
            missing(&score.terms),
            cut(reference.text()),
            escape(&explain(&parsed, reference, score)),
        );
    }

    /// Adds a row that has no score.
    pub fn add_unscorable(&mut self, row: &Row, error: &str) {
        self.rows += 1;
        let _ = write!(
            self.cards,
            "<article data-row=\"{}\" data-score=\"-1e99\">\n<h2>{}</h2><p class=\"lost\">{}</p>\n</article>\n",
            row.number,
            escape(&row.label()),
            escape(error),
        );
    }

    /// The whole page. Any text of the rows is escaped.
    pub fn finish(&self, title: &str) -> String {
        let (title, rows) = (escape(title), self.rows);
        let mean = self.total / self.rows.max(1) as f64;
        let cards = &self.cards;
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{rows} rows, mean reward {mean:.3}. <span class="earned">Earned</span> and <span class="lost">lost</span>
points are marked where they stand: <i class="name">names</i>, <i class="key">parameters</i>,
<i class="value">values</i>, <i class="tag">format</i>. A mark tells more when it is pointed at.</p>
<form id="tools">
<label>sort <select name="sort"><option value="row">by row</option><option value="score">lowest first</option>
<option value="-score">highest first</option></select></label>
<label>reward from <input name="low" type="number" step="any"></label>
<label>to <input name="high" type="number" step="any"></label>
<label>text <input name="text" type="search"></label>
<output></output>
</form>
</header>
<main>
{cards}</main>
<script>
{SCRIPT}</script>
</body>
</html>
"#
        )
    }
}

/// A term in a few words.
fn chip(term: &ScoredTerm) -> String {
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
    let words = format!("{} {:.3} of {}{weight}{failure}", term.id, term.score.value, full);
    format!("<span class=\"{class}\">{}</span> ", escape(&words))
}

/// What the reply lacks, which has no place in it.
fn missing(terms: &[ScoredTerm]) -> String {
    let mut out = String::new();
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
            let words = if call.matched.is_none() {
                format!("call {place} of the reference is matched with none of the reply")
            } else if !keys.is_empty() {
                format!("missing of call {place} of the reference: {}", keys.join(", "))
            } else {
                continue;
            };
            let _ = write!(out, "<p class=\"lost\">{}</p>", escape(&words));
        }
    }
    out
}

/// The reply's text with its marks.
fn marked(parsed: &Parsed<'_>, marks: &[Mark]) -> String {
    let text = &parsed.text[..parsed.text.len().min(LONGEST)];
    let mut out = String::new();
    let mut at = 0;
    let piece = |from: usize, to: usize| escape(&text::lossy(Span::new(from, to).of(text)));
    for mark in marks.iter().filter(|mark| mark.span.end <= text.len()) {
        out += &piece(at, mark.span.start);
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
        let inner = piece(mark.span.start, mark.span.end);
        let _ = write!(out, "<i class=\"{part} {verdict}\" title=\"{}\">{inner}</i>", escape(&mark.note));
        at = mark.span.end;
    }
    out += &piece(at, text.len());
    out += &rest(parsed.text.len());
    out
}

fn cut(bytes: &[u8]) -> String {
    escape(&text::lossy(&bytes[..bytes.len().min(LONGEST)])) + &rest(bytes.len())
}

fn rest(len: usize) -> String {
    let left = len.saturating_sub(LONGEST);
    if left == 0 { String::new() } else { format!("<b> … and {left} more bytes</b>") }
}

/// Makes text safe as content and as a quoted attribute. Characters that HTML forbids become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
