//! What a fuzz run found, as text.

use std::fmt::{self, Display, Formatter};

use super::{CounterExample, FuzzReport, Property};

impl Display for FuzzReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases from {} gold replies, seed {}", self.cases, self.gold, self.seed)?;
        if self.left_out > 0 {
            writeln!(f, "{} gold replies left out: their calls lack name or parameters", self.left_out)?;
        }
        for report in &self.properties {
            let (name, promise) = report.property.describe();
            writeln!(f, "{name:<14}{:>9} checks{:>9} broken  {promise}", report.checks, report.failures)?;
        }
        for report in self.properties.iter().filter(|report| report.failures > 0) {
            let (name, promise) = report.property.describe();
            writeln!(f, "\n{name}: {promise}")?;
            for (example, number) in report.counter_examples.iter().zip(1..) {
                write!(f, "  {number}. ")?;
                show(f, example, report.property)?;
            }
            if report.not_shown > 0 {
                let kinds = if report.not_shown == 1 { "kind" } else { "kinds" };
                writeln!(f, "  and {} {kinds} more (--limit)", report.not_shown)?;
            }
        }
        Ok(())
    }
}

fn show(f: &mut Formatter<'_>, example: &CounterExample, property: Property) -> fmt::Result {
    let damages = if example.damages.is_empty() { "gold".to_owned() } else { example.damages.join(" + ") };
    write!(f, "{} times, as in: {damages}", example.count)?;
    if let Some(change) = &example.change {
        write!(f, ", then {change}")?;
    }
    match &example.message {
        Some(message) => write!(f, ": {message}")?,
        None => write!(f, ": {:.3} -> {:.3}", example.before, example.after)?,
    }
    for (id, before, after) in example.terms.iter().filter(|_| example.message.is_none()) {
        write!(f, "; {id} {before:.3} -> {after:.3}")?;
    }
    writeln!(f)?;
    quote(f, "gold", &example.gold)?;
    if property == Property::Monotonic
        || (property == Property::Equivalent && example.reply_before != example.gold)
    {
        quote(f, "before", &example.reply_before)?;
    }
    quote(f, "after", &example.reply_after)
}

fn quote(f: &mut Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    let short: String = text.chars().take(600).collect();
    let cut = if short.len() < text.len() { "…" } else { "" };
    for (number, line) in short.lines().enumerate() {
        writeln!(f, "     {:<8}| {line}", if number == 0 { name } else { "" })?;
    }
    if cut.is_empty() { Ok(()) } else { writeln!(f, "     {:<8}| {cut}", "") }
}
