//! A score as readable text.

use std::fmt::{self, Write};

use toolrl_grammar::{Parsed, ReplyKind, SyntaxError, text};

use crate::{
    AnyCall, Breakdown, CallCheck, CallPoints, CallScore, CallSimilarity, Comparison, Loss, Outcome, Points,
    Reference, Score, ScoredTerm,
};

/// Tells how a score came about: each term, and for each call of the reply which call of the
/// reference it was matched with, what it earned and what cost each point.
///
/// ```
/// use toolrl_reward::{Context, Reference, Rubric, explain};
///
/// let gold = "<tool_call>{\"name\": \"f\", \"parameters\": {\"x\": 1}}</tool_call>";
/// let reference = Reference::parse(gold).unwrap();
/// let reply = gold.replace("1}", "2}");
/// let parsed = toolrl_grammar::parse(&reply);
/// let score = Rubric::toolrl().score(&parsed, &reference, &Context::evaluation()).unwrap();
/// let text = explain(&parsed, &reference, &score);
/// assert!(text.contains("call 1 -> reference call 1"));
/// assert!(text.contains("-2.000 reward: \"x\" is 2, not 1"));
/// ```
pub fn explain(parsed: &Parsed<'_>, reference: &Reference, score: &Score) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = Explanation { out: &mut out, parsed, reference }.write(score);
    out
}

struct Explanation<'e> {
    out: &'e mut String,
    parsed: &'e Parsed<'e>,
    reference: &'e Reference,
}

impl Explanation<'_> {
    fn write(&mut self, score: &Score) -> fmt::Result {
        writeln!(self.out, "total {}", number(score.total))?;
        for term in &score.terms {
            self.term(term)?;
        }
        Ok(())
    }

    fn term(&mut self, term: &ScoredTerm) -> fmt::Result {
        let (min, max) = term.range;
        write!(self.out, "{} {} of [{min}, {max}]", term.id, number(term.score.value))?;
        if term.weight != 1.0 {
            write!(self.out, ", weight {}", term.weight)?;
        }
        if let Some(failure) = &term.failure {
            return writeln!(
                self.out,
                ": failed, on_failure = {:?}: {}",
                failure.policy.as_str(),
                failure.cause
            );
        }
        match &term.score.breakdown {
            Breakdown::None => writeln!(self.out),
            Breakdown::Note(note) => writeln!(self.out, ": {note}"),
            Breakdown::Format { kind, fault } => self.format(*kind, fault.as_ref()),
            Breakdown::Length { words: None, .. } => {
                writeln!(self.out, ": <think> or </think> is missing")
            }
            Breakdown::Length { words: Some(words), target } => {
                writeln!(self.out, ": {words} words of thought, {target} earn it all")
            }
            Breakdown::Correctness(outcome) => self.correctness(outcome, max - min),
            Breakdown::Schema(checks) => self.schema(checks),
            Breakdown::RougeValues(calls) => self.similarities(calls),
        }
    }

    fn similarities(&mut self, calls: &[CallSimilarity]) -> fmt::Result {
        writeln!(self.out)?;
        for (place, call) in (1..).zip(calls) {
            let Some(gold) = call.gold else {
                writeln!(self.out, "  call {place} -> none")?;
                continue;
            };
            let similarity = number(call.similarity);
            writeln!(self.out, "  call {place} -> reference call {}: {similarity} of 1", gold + 1)?;
            for (key, similarity) in call.values.iter().filter(|(_, similarity)| *similarity < 1.0) {
                writeln!(self.out, "    {key:?}: {} of 1", number(*similarity))?;
            }
        }
        let missing = self.reference.calls().map_or(0, <[_]>::len);
        let missing = missing - calls.iter().filter(|call| call.gold.is_some()).count().min(missing);
        if missing > 0 {
            writeln!(self.out, "  {missing} of the reference's calls have no like")?;
        }
        Ok(())
    }

    fn schema(&mut self, checks: &[CallCheck]) -> fmt::Result {
        let fitting = checks.iter().filter(|check| check.fits()).count();
        writeln!(self.out, ": {fitting} of {} calls fit the tools", checks.len())?;
        for (place, check) in (1..).zip(checks) {
            match check {
                CallCheck::Valid => {}
                CallCheck::UnknownTool => writeln!(self.out, "  call {place}: no such tool was given")?,
                CallCheck::Invalid(why) => {
                    writeln!(self.out, "  call {place}: the arguments do not fit: {}", shortened(why))?;
                }
                CallCheck::UnusableSchema(why) => {
                    let why = shortened(why);
                    writeln!(
                        self.out,
                        "  call {place}: only its name is checked; its tool's schema is none: {why}"
                    )?;
                }
            }
        }
        Ok(())
    }

    fn format(&mut self, kind: ReplyKind, fault: Option<&SyntaxError>) -> fmt::Result {
        let shape = match kind {
            ReplyKind::ToolCall => "thoughts and tool calls",
            ReplyKind::Response => "thoughts and a response",
            ReplyKind::Both => "thoughts, tool calls and a response",
            ReplyKind::Thoughts => "thoughts alone",
        };
        match fault {
            None => writeln!(self.out, ": well-formed {shape}"),
            Some(fault) => writeln!(self.out, ": not {shape}: {fault}{}", self.quote(fault)),
        }
    }

    fn correctness(&mut self, outcome: &Outcome, range: f64) -> fmt::Result {
        match outcome {
            Outcome::NoCallsWanted => writeln!(self.out, ": the reference makes no call"),
            Outcome::Equal => writeln!(self.out, ": the calls are the reference's"),
            Outcome::Different => {
                writeln!(self.out, ": the calls differ, which costs all {}", number(range))
            }
            Outcome::NoCalls => writeln!(self.out, ": the reply makes no call"),
            Outcome::Unreadable(fault) => {
                writeln!(self.out, ": the calls cannot be read: {fault}{}", self.quote(fault))
            }
            Outcome::Unscorable(why) => writeln!(self.out, ": the calls cannot be compared: {why}"),
            Outcome::Compared(comparison) => self.comparison(comparison),
        }
    }

    fn comparison(&mut self, comparison: &Comparison) -> fmt::Result {
        let worth = comparison.reward_per_point;
        let (all, names) = (comparison.points, comparison.names);
        writeln!(self.out, ": {} points, {} reward each", of(all), number(worth))?;
        writeln!(self.out, "  tool names: {}{}", of(names), cost(names, worth))?;
        let predicted = self.reference.calls_of(self.parsed).unwrap_or_default();
        for (place, call) in predicted.iter().enumerate() {
            let matched = |call: &CallScore| call.matched == Some(place);
            let line = one_line(Some(call));
            match comparison.calls.iter().position(matched) {
                Some(gold) => {
                    writeln!(self.out, "  call {} -> reference call {}: {line}", place + 1, gold + 1)?;
                    self.call(&comparison.calls[gold], worth)?;
                }
                None => writeln!(self.out, "  call {} -> none: {line}", place + 1)?,
            }
        }
        let unmatched = comparison.calls.iter().enumerate().filter(|(_, c)| c.matched.is_none());
        for (gold, call) in unmatched {
            let line = one_line(self.reference.calls().and_then(|calls| calls.get(gold)));
            writeln!(self.out, "  reference call {} -> none: {line}", gold + 1)?;
            self.call(call, worth)?;
        }
        Ok(())
    }

    fn call(&mut self, call: &CallScore, worth: f64) -> fmt::Result {
        match call.points {
            CallPoints::Whole(points) => {
                writeln!(self.out, "    whole call: {}{}", of(points), cost(points, worth))
            }
            CallPoints::Parts { keys, values } => {
                writeln!(self.out, "    parameter names: {}{}", of(keys), cost(keys, worth))?;
                for loss in &call.losses {
                    match loss {
                        Loss::MissingKey(key) => writeln!(self.out, "      \"{key}\" is missing")?,
                        Loss::ExtraKey(key) => writeln!(self.out, "      \"{key}\" is not wanted")?,
                        Loss::KeyOrder => writeln!(self.out, "      they stand in another order")?,
                        Loss::WrongValue { .. } => {}
                    }
                }
                writeln!(self.out, "    values: {}{}", of(values), cost(values, worth))?;
                self.values(&call.losses, worth)
            }
        }
    }

    fn values(&mut self, losses: &[Loss], worth: f64) -> fmt::Result {
        let price = number(-worth);
        for loss in losses {
            match loss {
                Loss::MissingKey(key) => {
                    writeln!(self.out, "      {price} reward: \"{key}\" is missing")?;
                }
                Loss::WrongValue { key, expected, found } => {
                    let (expected, found) = (shortened(expected), shortened(found));
                    writeln!(self.out, "      {price} reward: \"{key}\" is {found}, not {expected}")?;
                }
                Loss::ExtraKey(_) | Loss::KeyOrder => {}
            }
        }
        Ok(())
    }

    /// The text at a fault.
    fn quote(&self, fault: &SyntaxError) -> String {
        let there = text::lossy(fault.span.of(self.parsed.text));
        if there.is_empty() { String::new() } else { format!(": {:?}", shortened(&there)) }
    }
}

fn one_line(call: Option<&AnyCall<'_>>) -> String {
    call.map(|call| shortened(&call.to_string())).unwrap_or_default()
}

fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST {
        return text.to_string();
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

fn number(x: f64) -> String {
    format!("{x:.3}")
}

fn of(points: Points) -> String {
    format!("{} of {}", number(points.gained), points.possible)
}

fn cost(points: Points, worth: f64) -> String {
    let lost = points.possible - points.gained;
    if lost > 0.0 { format!(" ({} reward)", number(-lost * worth)) } else { String::new() }
}
