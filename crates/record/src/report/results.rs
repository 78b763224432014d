//! The evaluation before and after.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;
use toolrl_eval::{EvalReport, Rates, SampledRates};

use crate::Summary;

/// What the page says of it: figures over all tasks, and of every row of a table, of each evaluation set.
pub(super) fn shown(summary: &Summary) -> Value {
    let sets = summary.sets.iter().map(|set| table(Some(&set.name), &set.before, &set.after));
    context! {
        recipe => &summary.recipe,
        seed => summary.seed,
        steps => summary.steps,
        duration => duration(summary.seconds),
        ending => summary.ending(),
        tasks => summary.after.overall.tasks,
        tables => std::iter::once(table(None, &summary.before, &summary.after)).chain(sets).collect::<Vec<_>>(),
    }
}

/// One set before and after.
fn table(name: Option<&str>, before: &EvalReport, after: &EvalReport) -> Value {
    let old: BTreeMap<_, _> = before.rows().into_iter().collect();
    let shown = measures(&before.overall, &after.overall);
    let row = |(name, new): (String, &Rates)| {
        let measures = changes(&shown, old.get(&name)?, new);
        Some(context! { name, tasks => new.tasks, measures })
    };
    context! {
        name,
        overall => changes(&shown, &before.overall, &after.overall),
        rows => after.rows().into_iter().filter_map(row).collect::<Vec<_>>(),
        before => &before.policy,
        after => &after.policy,
    }
}

/// A figure of [`Rates`], and how it is written.
struct Measure {
    name: String,
    value: Box<dyn Fn(&Rates) -> f64>,
    write: fn(f64) -> String,
    write_change: fn(f64) -> String,
}

/// The figures of greedy replies, and of sampled ones where both evaluations have as many.
fn measures(before: &Rates, after: &Rates) -> Vec<Measure> {
    let share = |name: &str, value: Box<dyn Fn(&Rates) -> f64>| Measure {
        name: name.to_owned(),
        value,
        write: percent,
        write_change: points,
    };
    let mut measures = vec![
        Measure {
            name: "Mean reward".to_owned(),
            value: Box::new(|r| r.mean_reward),
            write: |v| format!("{v:.3}"),
            write_change: |v| format!("{v:+.3}"),
        },
        share("Format rate", Box::new(|r| r.format_rate)),
        share("Exact-call rate", Box::new(|r| r.exact_call_rate)),
    ];
    if let Some(sampled) = after.sampled.as_ref().filter(|_| SampledRates::comparable(before, after)) {
        measures.extend(sampled.shown().map(|(name, _)| {
            let key = name.clone();
            let value = move |r: &Rates| {
                r.sampled.as_ref().and_then(|s| s.exact_calls.get(&key).copied()).unwrap_or(0.0)
            };
            share(&format!("Exact calls, {name}"), Box::new(value))
        }));
    }
    measures
}

fn percent(rate: f64) -> String {
    format!("{:.1}%", 100.0 * rate)
}

fn points(change: f64) -> String {
    format!("{:+.1} points", 100.0 * change)
}

/// Every measure before and after.
fn changes(measures: &[Measure], before: &Rates, after: &Rates) -> Vec<Value> {
    let change = |m: &Measure| {
        let (old, new) = ((m.value)(before), (m.value)(after));
        let direction = match new - old {
            d if d > 1e-9 => "up",
            d if d < -1e-9 => "down",
            _ => "same",
        };
        let (before, after) = ((m.write)(old), (m.write)(new));
        context! { name => &m.name, before, after, direction, change => (m.write_change)(new - old) }
    };
    measures.iter().map(change).collect()
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
