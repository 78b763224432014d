//! The evaluations in the course of a run.

use std::collections::BTreeMap;

use super::html::{escape, number};
use super::svg::{Chart, Series};
use crate::record::EvaluationRow;

/// A curve and a table of each, or nothing where the run has none but the first and the last on its held-out tasks.
pub(super) fn section(rows: &[EvaluationRow]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&EvaluationRow>> = BTreeMap::new();
    for row in rows {
        by_name.entry(&row.evaluation).or_default().push(row);
    }
    if by_name.values().all(|rows| rows.len() < 3) && by_name.len() < 2 {
        return String::new();
    }
    let parts: String = by_name.iter().map(|(name, rows)| part(name, rows)).collect();
    format!("<section>\n<h2>Evaluations in the course of the run</h2>\n{parts}</section>\n")
}

fn part(name: &str, rows: &[&EvaluationRow]) -> String {
    let mut scores: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows {
        for (score, value) in row.scores.iter().filter(|(_, value)| value.is_finite()) {
            scores.entry(score).or_default().push((row.step as f64, *value));
        }
    }
    let line = |(score, points): (&&str, &Vec<(f64, f64)>)| Series {
        name: (*score).to_owned(),
        points: points.clone(),
    };
    let chart = Chart {
        title: name.to_owned(),
        y_label: "score".to_owned(),
        series: scores.iter().map(line).collect(),
    };
    let cases = rows.last().map_or(0, |row| row.cases);
    let body: String = scores.iter().map(|(score, points)| table_row(score, points)).collect();
    format!(
        "<div class=\"charts\">\n{}</div>\n<div class=\"scroll\"><table>\n<thead><tr><th>{}, {cases} cases</th>\
         <th>first</th><th>last</th><th>best</th><th>at step</th></tr></thead>\n<tbody>\n{body}</tbody></table></div>\n",
        chart.render(),
        escape(name),
    )
}

fn table_row(score: &str, points: &[(f64, f64)]) -> String {
    // The first of equals.
    let best = points.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(first), Some(last), Some(best)) = (points.first(), points.last(), best) else {
        return String::new();
    };
    let cells: String =
        [first.1, last.1, best.1, best.0].map(|value| format!("<td>{}</td>", number(value))).concat();
    format!("<tr><th>{}</th>{cells}</tr>\n", escape(score))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, evaluation: &str, value: f64) -> EvaluationRow {
        let scores = [("<Overall>".to_owned(), value)].into();
        EvaluationRow { step, evaluation: evaluation.to_owned(), cases: 7, seconds: 0.0, scores }
    }

    #[test]
    fn every_evaluation_has_its_first_last_and_best() {
        assert_eq!(section(&[row(0, "held-out", 0.1), row(9, "held-out", 0.2)]), "");
        let page = section(&[
            row(0, "bfcl", 0.25),
            row(5, "bfcl", 0.75),
            row(9, "bfcl", 0.5),
            row(0, "held-out", 1.0),
        ]);
        assert!(page.contains("bfcl, 7 cases"), "{page}");
        let expected = "<tr><th>&lt;Overall&gt;</th><td>0.25</td><td>0.5</td><td>0.75</td><td>5</td></tr>";
        assert!(page.contains(expected), "{page}");
    }
}
