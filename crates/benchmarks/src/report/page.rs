//! The report as a page that needs no other file.

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::{Value, json};

use super::{Report, RunReport};
use crate::BenchmarkError;

/// The page. Its name's ending has the values in it escaped.
const PAGE: (&str, &str) = ("page.html", include_str!("page.html"));

/// The page of a report.
pub(super) fn render(report: &Report) -> Result<String, BenchmarkError> {
    let mut environment = Environment::new();
    environment.add_template(PAGE.0, PAGE.1)?;
    let runs: Vec<&RunReport> = std::iter::once(&report.run).chain(&report.others).collect();
    let page = environment.get_template(PAGE.0)?;
    let values = json!({
        "benchmark": report.run.header.benchmark,
        "runs": runs.iter().map(|run| summary(run)).collect::<Vec<_>>(),
        "scores": scores(&runs),
        "groups": groups(&runs),
        "failures": report.run.failures,
        "paper": report.paper,
        "own": own_row(report),
    });
    let page = page.render(minijinja::Value::from(Serde(values)))?;
    // HTML forbids other control characters.
    Ok(page.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}"))
}

fn summary(run: &RunReport) -> Value {
    let header = &run.header;
    json!({
        "model": header.model, "handler": header.handler, "sampling": header.sampling,
        "data": header.data, "cases": run.cases, "tokens": format!("{:.0}", run.mean_tokens),
        "cut": run.cut, "refused": run.refused,
    })
}

/// A row a score: its name, its value in each run, and the first run's note.
fn scores(runs: &[&RunReport]) -> Vec<Value> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let shown = |run: &RunReport, name: &str| {
        let score = run.scores.iter().find(|score| score.name == name);
        score.map_or_else(|| "-".to_owned(), crate::Score::shown)
    };
    let row = |score: &crate::Score| {
        let values: Vec<String> = runs.iter().map(|run| shown(run, &score.name)).collect();
        json!({"name": score.name, "values": values, "note": score.note})
    };
    first.scores.iter().map(row).collect()
}

/// A row a group: its name, and right of all in each run.
fn groups(runs: &[&RunReport]) -> Vec<Value> {
    let mut names: Vec<&String> = runs.iter().flat_map(|run| run.groups.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let shown = |run: &RunReport, name: &String| match run.groups.get(name) {
        Some(group) => format!("{} of {}", group.right, group.total),
        None => "-".to_owned(),
    };
    let row = |name: &&String| {
        let values: Vec<String> = runs.iter().map(|run| shown(run, name)).collect();
        json!({"name": name, "values": values})
    };
    names.iter().map(row).collect()
}

/// The run's scores in the paper's columns.
fn own_row(report: &Report) -> Vec<String> {
    let shown = |name: &String| {
        let score = report.run.scores.iter().find(|score| score.name == *name);
        score.map_or_else(|| "-".to_owned(), |score| score.shown().trim_end_matches('%').to_owned())
    };
    report.paper.columns.iter().map(shown).collect()
}
