//! What an evaluation found, as numbers and as a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Outcome, Rates, SampledRates};

/// The evaluation of one policy: `eval.json`, and each half of `summary.json`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EvalReport {
    /// The policy's directory.
    pub policy: String,
    /// Over all tasks; its fields stand beside `policy`.
    #[serde(flatten)]
    pub overall: Rates,
    /// By kind of task.
    pub by_kind: BTreeMap<String, Rates>,
    /// Over tasks whose tools training has too; none where no task's tools are held out from it.
    pub seen_tools: Option<Rates>,
    /// Over tasks whose tools are held out from training; none where there is no such task.
    pub unseen_tools: Option<Rates>,
    /// By source, where the tasks are of several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_source: BTreeMap<String, Rates>,
}

impl EvalReport {
    /// The report on a policy with these outcomes.
    pub fn of(policy: &str, outcomes: &[Outcome]) -> Self {
        let kinds: BTreeSet<_> = outcomes.iter().map(|o| o.kind).collect();
        let of_kind = |kind| Rates::of(outcomes.iter().filter(|o| o.kind == kind));
        let by_tools = |unseen| Rates::of(outcomes.iter().filter(|o| o.unseen_tools == unseen));
        let has_unseen = outcomes.iter().any(|o| o.unseen_tools);
        Self {
            policy: policy.to_owned(),
            overall: Rates::of(outcomes),
            by_kind: kinds.into_iter().map(|k| (k.as_str().to_owned(), of_kind(k))).collect(),
            seen_tools: has_unseen.then(|| by_tools(false)),
            unseen_tools: has_unseen.then(|| by_tools(true)),
            by_source: BTreeMap::new(),
        }
    }

    /// The same with the rates of each of these sources, whose names and a slash begin the ids of their tasks.
    #[must_use]
    pub fn with_sources(self, names: impl IntoIterator<Item = String>, outcomes: &[Outcome]) -> Self {
        let of_source = |name: String| {
            let is_its = |o: &&Outcome| o.id.strip_prefix(&name).is_some_and(|rest| rest.starts_with('/'));
            let rates = Rates::of(outcomes.iter().filter(is_its));
            (name, rates)
        };
        let by_source = names.into_iter().map(of_source).filter(|(_, rates)| rates.tasks > 0).collect();
        Self { by_source, ..self }
    }

    /// Name and rates of every row of a table: all tasks, each kind, seen and unseen tools, each source.
    pub fn rows(&self) -> Vec<(String, &Rates)> {
        let mut rows = vec![("all tasks".to_owned(), &self.overall)];
        rows.extend(self.by_kind.iter().map(|(kind, rates)| (kind.clone(), rates)));
        rows.extend(self.seen_tools.iter().map(|rates| ("seen tools".to_owned(), rates)));
        rows.extend(self.unseen_tools.iter().map(|rates| ("unseen tools".to_owned(), rates)));
        rows.extend(self.by_source.iter().map(|(source, rates)| (format!("source {source}"), rates)));
        rows
    }

    /// A text table of one evaluation.
    pub fn table(&self) -> String {
        let sampled = self.overall.sampled.is_some();
        let mut table = head(&self.overall, sampled);
        for (name, rates) in self.rows() {
            table += &line(&name, &rates.tasks.to_string(), &cells(rates, sampled));
        }
        table
    }

    /// A text table of two evaluations over the same tasks. A row that `before` lacks is left out, and so are the figures
    /// of sampled replies where either lacks them.
    pub fn comparison(before: &Self, after: &Self) -> String {
        let sampled = SampledRates::comparable(&before.overall, &after.overall);
        let mut table = head(&after.overall, sampled);
        let rows: BTreeMap<_, _> = before.rows().into_iter().collect();
        for (name, new) in after.rows() {
            let Some(old) = rows.get(&name) else { continue };
            let (old, new, tasks) = (cells(old, sampled), cells(new, sampled), new.tasks);
            let cells: Vec<_> = old.iter().zip(new).map(|(old, new)| format!("{old} -> {new}")).collect();
            table += &line(&name, &tasks.to_string(), &cells);
        }
        table
    }
}

/// The first line: what a table has of each row.
fn head(overall: &Rates, sampled: bool) -> String {
    let names = ["mean reward", "format", "exact calls"].map(str::to_owned).into_iter();
    let of_sampled = overall.sampled.iter().filter(|_| sampled).flat_map(SampledRates::shown);
    line("", "tasks", &names.chain(of_sampled.map(|(name, _)| name)).collect::<Vec<_>>())
}

fn cells(rates: &Rates, sampled: bool) -> Vec<String> {
    let greedy =
        [format!("{:.3}", rates.mean_reward), percent(rates.format_rate), percent(rates.exact_call_rate)];
    let of_sampled = rates.sampled.iter().filter(|_| sampled).flat_map(SampledRates::shown);
    greedy.into_iter().chain(of_sampled.map(|(_, rate)| percent(rate))).collect()
}

fn percent(rate: f64) -> String {
    format!("{:.1}%", 100.0 * rate)
}

fn line(name: &str, tasks: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("  {cell:>16}")).collect();
    format!("{name:<24}{tasks:>6}{cells}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(mean_reward: f64, with_unseen: bool) -> EvalReport {
        let rates = Rates {
            tasks: 4,
            errors: 0,
            overlong: 0,
            mean_reward,
            format_rate: 0.75,
            exact_call_rate: mean_reward / 4.0,
            components: BTreeMap::from([("format".to_owned(), 0.75)]),
            failures: BTreeMap::new(),
            sampled: None,
        };
        EvalReport {
            policy: "dir".into(),
            by_kind: BTreeMap::from([("one_call".to_owned(), rates.clone())]),
            seen_tools: None,
            unseen_tools: with_unseen.then(|| rates.clone()),
            by_source: BTreeMap::new(),
            overall: rates,
        }
    }

    #[test]
    fn json_has_the_rates_beside_the_policy() {
        let json = serde_json::to_value(report(1.0, true)).unwrap();
        assert_eq!(json["policy"], "dir");
        assert_eq!(json["exact_call_rate"], 0.25);
        assert_eq!(json["by_kind"]["one_call"]["mean_reward"], 1.0);
        assert_eq!(json["unseen_tools"]["format_rate"], 0.75);
        assert_eq!(serde_json::from_value::<EvalReport>(json).unwrap(), report(1.0, true));
    }

    #[test]
    fn tables_line_up_and_show_both() {
        let table = EvalReport::comparison(&report(1.0, false), &report(2.0, true));
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "unseen tools lack a before: {table}");
        assert!(lines.iter().all(|l| l.len() == lines[0].len()), "{table}");
        assert!(lines[1].starts_with("all tasks"));
        assert!(lines[1].contains("1.000 -> 2.000") && lines[1].contains("25.0% -> 50.0%"));
        assert_eq!(report(1.0, true).table().lines().count(), 4);
    }
}
