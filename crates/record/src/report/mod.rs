//! `report.html`: a run on one page, in one file that needs no network.

mod charts;
mod evaluations;
mod html;
mod results;
mod svg;

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::{Completion, EvaluationRow, RecordError, StepMetrics, Summary};
pub use html::render_page;
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
    /// What a reader should know first.
    pub notes: &'a [String],
    /// The resolved configuration as TOML.
    pub config: &'a str,
}

/// A sampled reply with the reasons for its reward.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// The reply and its score.
    pub completion: Completion,
    /// What was matched with what and what cost each point, as plain text.
    pub explanation: String,
}

/// The whole page. Any text in the input is escaped.
///
/// # Errors
/// [`RecordError::Page`] where the template and what it is given do not agree.
pub fn render(input: &ReportInput<'_>) -> Result<String, RecordError> {
    let parts = context! {
        title => input.title,
        notes => Serde(input.notes),
        results => input.summary.map(results::shown),
        evaluations => evaluations::shown(input.evaluations),
        charts => charts::charts(input.metrics).iter().map(Chart::markup).collect::<Vec<Value>>(),
        examples => Serde(input.examples),
        config => input.config,
    };
    render_page(include_str!("report.html"), parts)
}

#[cfg(test)]
mod tests;
