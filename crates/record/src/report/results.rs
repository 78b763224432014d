//! The evaluation before and after.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;
use toolrl_eval::Rates;

use crate::Summary;

/// What the page says of it: figures over all tasks, and of every row of a table.
pub(super) fn shown(summary: &Summary) -> Value {
    let (before, after) = (&summary.before, &summary.after);
    let old: BTreeMap<_, _> = before.rows().into_iter().collect();
    let row = |(name, new): (String, &Rates)| {
        let measures = changes(old.get(&name)?, new);
        Some(context! { name, tasks => new.tasks, measures })
    };
    context! {
        recipe => &summary.recipe,
        seed => summary.seed,
        steps => summary.steps,
        duration => duration(summary.seconds),
        tasks => after.overall.tasks,
        overall => changes(&before.overall, &after.overall),
        rows => after.rows().into_iter().filter_map(row).collect::<Vec<_>>(),
        before => &before.policy,
        after => &after.policy,
    }
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

/// Every measure before and after.
fn changes(before: &Rates, after: &Rates) -> Vec<Value> {
    let change = |m: &Measure| {
        let (old, new) = ((m.value)(before), (m.value)(after));
        let direction = match new - old {
            d if d > 1e-9 => "up",
            d if d < -1e-9 => "down",
            _ => "same",
        };
        let (before, after) = ((m.write)(old), (m.write)(new));
        context! { name => m.name, before, after, direction, change => (m.write_change)(new - old) }
    };
    MEASURES.iter().map(change).collect()
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
