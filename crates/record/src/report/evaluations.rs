//! The evaluations in the course of a run.

use std::collections::BTreeMap;

use super::html::{escape, number};
use super::svg::{Chart, Series};
use crate::EvaluationRow;

/// A curve and a table of each, or nothing where the run has none but the first and the last on its held-out tasks.
pub(super) fn section(rows: &[EvaluationRow]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&EvaluationRow>> = BTreeMap::new();
    for row in rows {
        by_name.entry(&row.evaluation).or_default().push(row);
    }
    if by_name.values().all(|rows| rows.len() < 3) && by_name.len() < 2 {
        return String::new();
    }
    let parts: Vec<Part<'_>> = by_name.into_iter().map(|(name, rows)| Part::new(name, &rows)).collect();
    let charts: String = parts.iter().map(|part| part.chart().render()).collect();
    let tables: String = parts.iter().map(Part::table).collect();
    format!(
        "<section>\n<h2>Evaluations in the course of the run</h2>\n<div class=\"charts\">\n{charts}</div>\n{tables}\
         </section>\n"
    )
}

/// One evaluation: its scores by name, each as (step, value).
struct Part<'a> {
    name: &'a str,
    cases: usize,
    scores: BTreeMap<&'a str, Vec<(f64, f64)>>,
}

impl<'a> Part<'a> {
    fn new(name: &'a str, rows: &[&'a EvaluationRow]) -> Self {
        let mut scores: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for row in rows {
            for (score, value) in row.scores.iter().filter(|(_, value)| value.is_finite()) {
                scores.entry(score).or_default().push((row.step as f64, *value));
            }
        }
        Self { name, cases: rows.last().map_or(0, |row| row.cases), scores }
    }

    fn chart(&self) -> Chart {
        let line = |(score, points): (&&str, &Vec<(f64, f64)>)| Series {
            name: (*score).to_owned(),
            points: points.clone(),
        };
        Chart {
            title: self.name.to_owned(),
            y_label: "score".to_owned(),
            series: self.scores.iter().map(line).collect(),
        }
    }

    fn table(&self) -> String {
        let body: String = self.scores.iter().map(|(score, points)| table_row(score, points)).collect();
        format!(
            "<div class=\"scroll\"><table>\n<thead><tr><th>{}, {} cases</th><th>first</th><th>last</th><th>best</th>\
             <th>at step</th></tr></thead>\n<tbody>\n{body}</tbody></table></div>\n",
            escape(self.name),
            self.cases,
        )
    }
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
