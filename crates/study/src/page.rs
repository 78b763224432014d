//! The results as a page and as Markdown.

use std::collections::BTreeSet;

use minijinja::context;
use minijinja::value::Value;
use toolrl_eval::significance::Interval;
use toolrl_record::RecordError;
use toolrl_record::report::{Chart, Series, render_page};

use crate::{ArmResult, FindingResult, Measure, Results, Statistic, Table, Test};

/// `report.html`: tables, curves and findings in one file that needs no network.
///
/// # Errors
/// [`RecordError::Page`] where the template and what it is given do not agree.
pub fn page(results: &Results) -> Result<String, RecordError> {
    let study = &results.study;
    let shown = context! {
        title => format!("Study: {}", study.name),
        about => &study.about,
        done => done(results),
        findings => results.findings.iter().map(finding_cells).collect::<Vec<_>>(),
        finding_heads => FINDING,
        tests => !study.tests.is_empty(),
        tables => study.tables().iter().map(|table| shown(results, table)).collect::<Vec<_>>(),
    };
    render_page(include_str!("study.html"), shown)
}

/// A table as the page shows it.
fn shown(results: &Results, table: &Table) -> Value {
    let measures = measures(results, table);
    let row = |arm: &ArmResult| {
        let cells: Vec<String> =
            measures.iter().map(|&measure| cell(arm, measure, &results.study.tests)).collect();
        context! { name => &arm.name, seeds => arm.runs.len(), cells, cost => cost(arm) }
    };
    context! {
        title => &table.title,
        paper => &table.paper,
        measures => measures.iter().map(|measure| measure.title()).collect::<Vec<_>>(),
        costs => COSTS,
        arms => arms(results, table).into_iter().map(row).collect::<Vec<_>>(),
        by_kind => by_kind(results, table).map(|(kinds, rows)| context! { kinds, rows }),
        chart => chart(results, table).map(|chart| chart.markup()),
    }
}

/// The same as Markdown, without the curves.
pub fn markdown(results: &Results) -> String {
    let mut out = format!("{}\n\n", done(results));
    for table in results.study.tables() {
        let measures = measures(results, &table);
        out += &format!("### {}\n\n", table.title);
        if !table.paper.is_empty() {
            out += &format!("{}\n\n", table.paper);
        }
        let titles = measures.iter().map(|m| m.title());
        let heads: Vec<&str> = ["", "seeds"].into_iter().chain(titles).chain(COSTS).collect();
        out += &format!("|{}\n|{}\n", line(&heads), "---|".repeat(heads.len()));
        for arm in arms(results, &table) {
            let cells = measures.iter().map(|&m| cell(arm, m, &results.study.tests));
            let first = [arm.name.clone(), arm.runs.len().to_string()];
            let row: Vec<String> = first.into_iter().chain(cells).chain(cost(arm)).collect();
            out += &format!("|{}\n", line(&row));
        }
        out.push('\n');
        if let Some((kinds, rows)) = by_kind(results, &table) {
            let heads: Vec<&str> =
                ["exact, by kind of task"].into_iter().chain(kinds.iter().map(String::as_str)).collect();
            out += &format!("|{}\n|{}\n", line(&heads), "---|".repeat(heads.len()));
            rows.iter().for_each(|row| out += &format!("|{}\n", line(row)));
            out.push('\n');
        }
    }
    if !results.findings.is_empty() {
        out += &format!("### Findings\n\n{}", findings(&results.findings));
    }
    out
}

/// The findings as a table of Markdown.
pub(crate) fn findings(results: &[FindingResult]) -> String {
    let rows = results.iter().map(|finding| format!("|{}\n", line(&finding_cells(finding))));
    let head = format!("|{}\n|{}\n", line(&FINDING), "---|".repeat(FINDING.len()));
    std::iter::once(head).chain(rows).collect()
}

/// The cells of a row behind its first bar.
fn line<T: AsRef<str>>(cells: &[T]) -> String {
    cells.iter().map(|cell| format!(" {} |", cell.as_ref()).replace("  ", " ")).collect()
}

/// How much of the study is done.
fn done(results: &Results) -> String {
    let seeds: Vec<String> = results.study.seeds.iter().map(u64::to_string).collect();
    format!(
        "Seeds {}. {} of {} runs done, {:.0} minutes together.",
        seeds.join(", "),
        results.done,
        results.planned,
        results.seconds / 60.0,
    )
}

/// What a seed of an arm costs.
const COSTS: [&str; 4] = ["tokens trained", "tokens sampled", "minutes", "CPU minutes"];

/// The means over an arm's seeds.
fn cost(arm: &ArmResult) -> [String; 4] {
    let shown = |value: Option<f64>, unit: f64| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", value / unit))
    };
    let thousands = |value: Option<f64>| match shown(value, 1000.0) {
        none if none == "–" => none,
        some => format!("{some}k"),
    };
    [
        thousands(arm.mean(|run| Some(run.tokens_trained as f64))),
        thousands(arm.mean(|run| Some(run.tokens_sampled as f64))),
        shown(arm.mean(|run| Some(run.seconds)), 60.0),
        shown(arm.mean(|run| run.cpu_seconds), 60.0),
    ]
}

fn arms<'r>(results: &'r Results, table: &Table) -> Vec<&'r ArmResult> {
    table.arms.iter().filter_map(|name| results.arm(name)).collect()
}

/// The measures that some arm of the table has.
fn measures(results: &Results, table: &Table) -> Vec<Measure> {
    let arms = arms(results, table);
    Measure::TABLE.into_iter().filter(|m| arms.iter().any(|arm| arm.measures.contains_key(m))).collect()
}

/// A measure of an arm; where the study has tests of its own, with its interval over their tasks.
fn cell(arm: &ArmResult, measure: Measure, tests: &[Test]) -> String {
    let interval = arm.intervals.get(&measure).filter(|_| !tests.is_empty());
    let interval = interval.map(|Interval { low, high }| match measure.is_share() {
        true => format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high),
        false => format!(" [{low:.2}, {high:.2}]"),
    });
    arm.statistic(measure).map_or_else(|| "–".to_owned(), |s| s.text(measure) + &interval.unwrap_or_default())
}

/// The share of exact replies by kind of task: the kinds, and a row of cells an arm. Of studies with tests of their own.
fn by_kind(results: &Results, table: &Table) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let arms = arms(results, table);
    let kinds: BTreeSet<&str> = arms
        .iter()
        .flat_map(|arm| &arm.runs)
        .flat_map(|run| run.after.by_kind.keys().map(String::as_str))
        .collect();
    let cell = |arm: &ArmResult, kind: &str| {
        let values = arm.runs.iter().filter_map(|run| Some(run.after.by_kind.get(kind)?.exact_call_rate));
        Statistic::of(values.collect()).map_or_else(|| "–".to_owned(), |s| s.text(Measure::Exact))
    };
    let row = |arm: &&ArmResult| {
        std::iter::once(arm.name.clone()).chain(kinds.iter().map(|kind| cell(arm, kind))).collect()
    };
    let rows = arms.iter().map(row).collect();
    let kinds: Vec<String> = kinds.into_iter().map(str::to_owned).collect();
    (!results.study.tests.is_empty() && !kinds.is_empty()).then_some((kinds, rows))
}

/// The arms' training rewards, means over the seeds; none where no arm samples.
pub(crate) fn chart(results: &Results, table: &Table) -> Option<Chart> {
    let with_curve = arms(results, table).into_iter().filter(|arm| !arm.curve.0.is_empty());
    let series = |arm: &ArmResult| Series {
        name: arm.name.clone(),
        points: arm.curve.0.iter().map(|p| (p.step as f64, p.mean)).collect(),
    };
    let series: Vec<Series> = with_curve.map(series).collect();
    let title = format!("{}: training reward, mean over seeds", table.title);
    (!series.is_empty()).then(|| Chart { title, y_label: "reward as trained".to_owned(), series })
}

/// The heads of [`finding_cells`].
const FINDING: [&str; 8] = ["claim", "by", "better", "worse", "p, seeds", "p, tasks", "p, corrected", ""];

/// A finding's claim, measure, both arms with their values, how likely that is by chance, and the verdict.
fn finding_cells(result: &FindingResult) -> [String; 8] {
    let finding = &result.finding;
    let side = |name: &str, statistic: &Option<Statistic>| {
        let value = statistic.as_ref().map_or_else(|| "–".to_owned(), |s| s.text(finding.by));
        format!("{name}: {value}")
    };
    [
        finding.claim.clone(),
        finding.by.title().to_owned(),
        side(&finding.better, &result.of_better),
        side(&finding.worse, &result.of_worse),
        p(result.p.seeds),
        p(result.p.tasks),
        p(result.p.corrected),
        result.verdict.text().to_owned(),
    ]
}

/// A p to three digits.
fn p(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 0.0005 => "< 0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}
