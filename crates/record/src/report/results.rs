//! The evaluation before and after.

use std::collections::BTreeMap;

use toolrl_eval::{EvalReport, Rates};

use super::html::escape;
use crate::Summary;

/// Figures in large type and a table of all rows.
pub(super) fn section(summary: &Summary) -> String {
    let (before, after) = (&summary.before.overall, &summary.after.overall);
    let tiles: String = MEASURES.iter().map(|m| m.tile(before, after)).collect();
    format!(
        "<section>\n<p class=\"lead\">Recipe {}, seed {}: {} steps in {}. Greedy replies to {} held-out \
         tasks, before and after.</p>\n<div class=\"tiles\">{tiles}</div>\n{}\
         <p class=\"note\">Before: <code>{}</code><br>After: <code>{}</code></p>\n</section>\n",
        escape(&summary.recipe),
        summary.seed,
        summary.steps,
        duration(summary.seconds),
        after.tasks,
        table(&summary.before, &summary.after),
        escape(&summary.before.policy),
        escape(&summary.after.policy),
    )
}

/// A figure of [`Rates`], and how it is written.
struct Measure {
    name: &'static str,
    value: fn(&Rates) -> f64,
    write: fn(f64) -> String,
    write_change: fn(f64) -> String,
}

const MEASURES: [Measure; 3] = [
    Measure {
        name: "Mean reward",
        value: |r| r.mean_reward,
        write: |v| format!("{v:.3}"),
        write_change: |v| format!("{v:+.3}"),
    },
    Measure { name: "Format rate", value: |r| r.format_rate, write: percent, write_change: points },
    Measure { name: "Exact-call rate", value: |r| r.exact_call_rate, write: percent, write_change: points },
];

fn percent(rate: f64) -> String {
    format!("{:.1}%", 100.0 * rate)
}

fn points(change: f64) -> String {
    format!("{:+.1} points", 100.0 * change)
}

impl Measure {
    fn tile(&self, before: &Rates, after: &Rates) -> String {
        let (old, new) = ((self.value)(before), (self.value)(after));
        format!(
            "<div class=\"tile\"><b>{}</b><span>{} <i>&rarr;</i> {}</span>{}</div>\n",
            self.name,
            (self.write)(old),
            (self.write)(new),
            self.change("em", old, new),
        )
    }

    fn cells(&self, before: &Rates, after: &Rates) -> String {
        let (old, new) = ((self.value)(before), (self.value)(after));
        let (before, after) = ((self.write)(old), (self.write)(new));
        format!("<td>{before}</td><td>{after}</td>{}", self.change("td", old, new))
    }

    fn change(&self, tag: &str, old: f64, new: f64) -> String {
        let class = match new - old {
            d if d > 1e-9 => "up",
            d if d < -1e-9 => "down",
            _ => "same",
        };
        format!("<{tag} class=\"{class}\">{}</{tag}>", (self.write_change)(new - old))
    }
}

fn table(before: &EvalReport, after: &EvalReport) -> String {
    let old: BTreeMap<_, _> = before.rows().into_iter().collect();
    let heads: String = MEASURES.iter().map(|m| format!("<th colspan=\"3\">{}</th>", m.name)).collect();
    let subheads = "<th>before</th><th>after</th><th>change</th>".repeat(MEASURES.len());
    let rows: String = after
        .rows()
        .iter()
        .filter_map(|(name, new)| {
            let old = old.get(name)?;
            let cells: String = MEASURES.iter().map(|m| m.cells(old, new)).collect();
            Some(format!("<tr><th>{}</th><td>{}</td>{cells}</tr>\n", row_name(name), new.tasks))
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr><th></th><th></th>{heads}</tr>\n\
         <tr><th>Tasks</th><th>count</th>{subheads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn row_name(name: &str) -> String {
    escape(&name.replace('_', " "))
}

fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (seconds, expected) in [(12.4, "12 s"), (61.0, "1 min 1 s"), (7384.0, "2 h 3 min")] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
