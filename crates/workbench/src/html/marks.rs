//! Which bytes of a reply earned or cost points.

use toolrl_grammar::json::equal;
use toolrl_grammar::json::{Entry, entries};
use toolrl_grammar::{Parsed, Span, lenient};
use toolrl_reward::{AnyCall, Breakdown, CallPoints, CallScore, Comparison, Loss, Outcome, Reference, Score};

/// A piece of a reply that says something of the reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub span: Span,
    /// What it is: a class of the page.
    pub part: Part,
    pub verdict: Verdict,
    /// What a reader is told of it.
    pub note: String,
}

/// What a marked piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Tag,
    Fault,
    Name,
    Key,
    Value,
    Call,
}

/// Whether a piece earned its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Earned,
    Lost,
    Neutral,
}

/// The tags that the format is about.
const TAGS: [&str; 6] = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<response>", "</response>"];

/// The marks of a reply in the order of its bytes, none over another.
pub(super) fn marks(parsed: &Parsed<'_>, reference: &Reference, score: &Score) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut format = Verdict::Neutral;
    for term in &score.terms {
        match &term.score.breakdown {
            Breakdown::Format { fault: None, .. } => format = Verdict::Earned,
            Breakdown::Format { fault: Some(fault), .. } => {
                format = Verdict::Lost;
                let short = Span::new(fault.span.start, fault.span.end.min(fault.span.start + 40));
                push(&mut marks, short, Part::Fault, Verdict::Lost, fault.to_string());
            }
            Breakdown::Correctness(outcome) => calls(&mut marks, parsed, reference, outcome),
            _ => {}
        }
    }
    for tag in TAGS {
        let mut from = 0;
        while let Some(at) = find(&parsed.text[from..], tag.as_bytes()) {
            let span = Span::new(from + at, from + at + tag.len());
            push(&mut marks, span, Part::Tag, format, format!("format: {tag}"));
            from = span.end;
        }
    }
    let (faults, mut marks): (Vec<_>, Vec<_>) = marks.into_iter().partition(|mark| mark.part == Part::Fault);
    marks.sort_by_key(|mark| mark.span.start);
    let mut kept: Vec<Mark> = Vec::new();
    for mark in marks {
        if kept.last().is_none_or(|last| last.span.end <= mark.span.start) {
            kept.push(mark);
        }
    }
    faults.into_iter().for_each(|fault| place(&mut kept, fault));
    kept
}

/// A fault joins the mark where it begins, or ends where the next one does begin.
fn place(kept: &mut Vec<Mark>, mut fault: Mark) {
    let next = kept.partition_point(|mark| mark.span.end <= fault.span.start);
    match kept.get_mut(next) {
        Some(mark) if mark.span.start <= fault.span.start => {
            mark.verdict = Verdict::Lost;
            mark.note = fault.note;
        }
        found => {
            fault.span.end = found.map_or(fault.span.end, |mark| mark.span.start.min(fault.span.end));
            kept.insert(next, fault);
        }
    }
}

fn push(marks: &mut Vec<Mark>, span: Span, part: Part, verdict: Verdict, note: impl Into<String>) {
    if !span.is_empty() {
        marks.push(Mark { span, part, verdict, note: note.into() });
    }
}

fn find(text: &[u8], tag: &[u8]) -> Option<usize> {
    text.windows(tag.len()).position(|window| window == tag)
}

fn calls(marks: &mut Vec<Mark>, parsed: &Parsed<'_>, reference: &Reference, outcome: &Outcome) {
    let lines = match (reference.calls_of(parsed), outcome) {
        (Ok(lines), _) => lines,
        (Err(_), Outcome::Unreadable(fault)) => {
            if let Some(block) = lenient(parsed.text) {
                let span = if block.span.is_empty() { fault.span } else { block.span };
                push(marks, span, Part::Call, Verdict::Lost, fault.to_string());
            }
            return;
        }
        (Err(_), _) => return,
    };
    match outcome {
        Outcome::Compared(comparison) => compared(marks, parsed, reference, comparison, &lines),
        Outcome::Equal => lines.iter().for_each(|line| whole(marks, parsed, line, Verdict::Earned)),
        Outcome::NoCallsWanted => lines.iter().for_each(|line| whole(marks, parsed, line, Verdict::Neutral)),
        _ => lines.iter().for_each(|line| whole(marks, parsed, line, Verdict::Lost)),
    }
}

fn compared(
    marks: &mut Vec<Mark>,
    parsed: &Parsed<'_>,
    reference: &Reference,
    comparison: &Comparison,
    lines: &[AnyCall<'_>],
) {
    let gold = reference.calls().unwrap_or_default();
    let names = earned_names(gold, lines);
    for (place, line) in lines.iter().enumerate() {
        let name = if names[place] { Verdict::Earned } else { Verdict::Lost };
        let matched = comparison.calls.iter().find(|call| call.matched == Some(place));
        for entry in entries_of(parsed, line) {
            match (entry.key.as_slice(), matched) {
                (b"name", _) => {
                    let note =
                        if names[place] { "a tool of the reference" } else { "no tool of the reference" };
                    push(marks, entry.value_span, Part::Name, name, note);
                }
                (b"parameters", Some(call)) => parameters(marks, parsed, entry.value_span, call),
                (b"parameters", None) => {
                    let note = "this call is matched with none of the reference";
                    push(marks, entry.value_span, Part::Value, Verdict::Lost, note);
                }
                _ => {}
            }
        }
    }
}

/// The entries of a call's object, with their places.
fn entries_of(parsed: &Parsed<'_>, line: &AnyCall<'_>) -> Vec<Entry> {
    line.span().map(|span| entries(parsed.text, span)).unwrap_or_default()
}

/// Which of the reply's calls have a name that the reference still had to give.
fn earned_names(gold: &[AnyCall<'_>], lines: &[AnyCall<'_>]) -> Vec<bool> {
    let mut left: Vec<_> = gold.iter().filter_map(AnyCall::name).collect();
    let take = |line: &AnyCall<'_>| {
        let name = line.name();
        let found = name.and_then(|name| left.iter().position(|gold| equal(gold, &name)));
        found.map(|place| left.swap_remove(place)).is_some()
    };
    lines.iter().map(take).collect()
}

fn parameters(marks: &mut Vec<Mark>, parsed: &Parsed<'_>, span: Span, call: &CallScore) {
    if let CallPoints::Whole(points) = call.points {
        let verdict = if points.gained > 0.0 { Verdict::Earned } else { Verdict::Lost };
        return push(marks, span, Part::Value, verdict, "the call counts as a whole");
    }
    let reordered = call.losses.contains(&Loss::KeyOrder);
    for entry in entries(parsed.text, span) {
        let key = toolrl_grammar::text::lossy(&entry.key).into_owned();
        let lost = call.losses.iter().find(|loss| match loss {
            Loss::ExtraKey(name) | Loss::WrongValue { key: name, .. } => *name == key,
            Loss::MissingKey(_) | Loss::KeyOrder => false,
        });
        let (keys, values, note) = match lost {
            Some(Loss::ExtraKey(_)) => (Verdict::Lost, Verdict::Neutral, "not wanted".to_owned()),
            Some(Loss::WrongValue { expected, .. }) => {
                (Verdict::Earned, Verdict::Lost, format!("the reference has {}", shortened(expected)))
            }
            _ if reordered => {
                (Verdict::Lost, Verdict::Earned, "the parameters stand in another order".to_owned())
            }
            _ => (Verdict::Earned, Verdict::Earned, "as in the reference".to_owned()),
        };
        push(marks, entry.key_span, Part::Key, keys, note.clone());
        push(marks, entry.value_span, Part::Value, values, note);
    }
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

/// A call that counts as a whole.
fn whole(marks: &mut Vec<Mark>, parsed: &Parsed<'_>, line: &AnyCall<'_>, verdict: Verdict) {
    for entry in entries_of(parsed, line) {
        match entry.key.as_slice() {
            b"name" => push(marks, entry.value_span, Part::Name, verdict, "the tool's name"),
            b"parameters" => {
                for entry in entries(parsed.text, entry.value_span) {
                    push(marks, entry.key_span, Part::Key, verdict, "a parameter's name");
                    push(marks, entry.value_span, Part::Value, verdict, "a value");
                }
            }
            _ => {}
        }
    }
}
