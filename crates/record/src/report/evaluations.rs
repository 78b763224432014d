//! The evaluations in the course of a run.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

use super::svg::{Chart, Series};
use crate::EvaluationRow;

/// The scores of one evaluation by name, each as (step, value).
type Scores<'a> = BTreeMap<&'a str, Vec<(f64, f64)>>;

/// A curve and a table of each, or nothing where the run has none but the first and the last on its held-out tasks.
pub(super) fn shown(rows: &[EvaluationRow]) -> Vec<Value> {
    let mut by_name: BTreeMap<&str, Vec<&EvaluationRow>> = BTreeMap::new();
    for row in rows {
        by_name.entry(&row.evaluation).or_default().push(row);
    }
    if by_name.values().all(|rows| rows.len() < 3) && by_name.len() < 2 {
        return Vec::new();
    }
    by_name.into_iter().map(|(name, rows)| part(name, &rows)).collect()
}

/// One evaluation.
fn part(name: &str, rows: &[&EvaluationRow]) -> Value {
    let mut scores = Scores::new();
    for row in rows {
        for (score, value) in row.scores.iter().filter(|(_, value)| value.is_finite()) {
            scores.entry(score).or_default().push((row.step as f64, *value));
        }
    }
    let cases = rows.last().map_or(0, |row| row.cases);
    let table: Vec<Value> = scores.iter().filter_map(|(score, points)| table_row(score, points)).collect();
    context! { name, cases, chart => chart(name, scores).markup(), scores => table }
}

fn chart(name: &str, scores: Scores<'_>) -> Chart {
    let line = |(score, points): (&str, _)| Series { name: score.to_owned(), points };
    let series = scores.into_iter().map(line).collect();
    Chart { title: name.to_owned(), y_label: "score".to_owned(), series }
}

/// The first value, the last, the best, and the step of that: the first of equals.
fn table_row(name: &str, points: &[(f64, f64)]) -> Option<Value> {
    let best = points.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let values = [points.first()?.1, points.last()?.1, best.1, best.0];
    Some(context! { name, values })
}
