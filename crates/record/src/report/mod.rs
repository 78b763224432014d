//! `report.html`: a run on one page, in one file that needs no network.

mod charts;
mod evaluations;
mod examples;
mod html;
mod results;
mod svg;

use crate::{Completion, EvaluationRow, StepMetrics, Summary};
pub use html::escape;
pub use svg::{Chart, Series};

/// What a report shows.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The page's heading: the run's name.
    pub title: &'a str,
    /// One row a step.
    pub metrics: &'a [StepMetrics],
    /// The evaluations in the course of the run.
    pub evaluations: &'a [EvaluationRow],
    /// The evaluation before and after, where there was one.
    pub summary: Option<&'a Summary>,
    /// Some sampled replies.
    pub examples: &'a [Example],
    /// The resolved configuration as TOML.
    pub config: &'a str,
}

/// A sampled reply with the reasons for its reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The reply and its score.
    pub completion: Completion,
    /// What was matched with what and what cost each point, as plain text.
    pub explanation: String,
}

const STYLE: &str = include_str!("style.css");

/// The whole page. Any text in the input is escaped.
pub fn render(input: &ReportInput<'_>) -> String {
    let results = input.summary.map_or(String::new(), results::section);
    let evaluations = evaluations::section(input.evaluations);
    let curves = charts::section(input.metrics);
    let examples = examples::section(input.examples);
    let config = escape(input.config);
    let body = format!(
        "{results}{evaluations}{curves}{examples}<section>\n<h2>Configuration</h2>\n<details><summary>Every setting of the run, as \
         resolved</summary><pre>{config}</pre></details>\n</section>\n"
    );
    whole_page(input.title, &body)
}

/// A page with this heading around markup, in the style of the reports.
pub fn whole_page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}</main>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests;
