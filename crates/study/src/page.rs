//! The results as a page and as Markdown.

use toolrl_record::report::{Chart, Series, escape, whole_page};

use crate::{ArmResult, FindingResult, Measure, Results, Table};

/// What the tables' columns are.
const COLUMNS: &str = "Values are mean ± standard deviation over seeds, of greedy replies to held-out tasks. Reward: by \
    the evaluation's terms. Exact: the gold calls and no other. Format: the strict form. Minutes: a seed's run time on its \
    share of the cores, evaluations included. A policy that is not trained has one evaluation, and so no spread.";

/// How curves are read.
const CURVES: &str = "Curves are of the reward that each arm is trained by: where arms differ in that, their heights do \
    not compare. The bold line is a moving mean.";

/// `report.html`: tables, curves and findings in one file that needs no network.
pub fn page(results: &Results) -> String {
    let study = &results.study;
    let tables: String = study.tables().iter().map(|table| html_table(results, table)).collect();
    let lead = format!(
        "<p class=\"lead\">{}</p>\n<p class=\"note\">{} {COLUMNS} {CURVES}</p>\n",
        escape(&study.about),
        done(results),
    );
    whole_page(&format!("Study: {}", study.name), &format!("{lead}{}{tables}", html_findings(results)))
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
        let heads: Vec<&str> = measures.iter().map(|m| m.title()).collect();
        out += &format!(
            "| | seeds | {} | minutes |\n|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len() + 2)
        );
        for arm in arms(results, &table) {
            let cells: Vec<String> = measures.iter().map(|&m| cell(arm, m)).collect();
            out += &format!(
                "| {} | {} | {} | {} |\n",
                arm.name,
                arm.runs.len(),
                cells.join(" | "),
                minutes(arm)
            );
        }
        out.push('\n');
    }
    if !results.findings.is_empty() {
        out += "### Findings\n\n| claim | by | better | worse | |\n|---|---|---|---|---|\n";
        for finding in &results.findings {
            out += &format!("| {} |\n", finding_cells(finding).join(" | "));
        }
    }
    out
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

/// An arm's mean run time.
fn minutes(arm: &ArmResult) -> String {
    if arm.runs.is_empty() { "–".to_owned() } else { format!("{:.1}", arm.seconds() / 60.0) }
}

fn arms<'r>(results: &'r Results, table: &Table) -> Vec<&'r ArmResult> {
    table.arms.iter().filter_map(|name| results.arm(name)).collect()
}

/// The measures that some arm of the table has.
fn measures(results: &Results, table: &Table) -> Vec<Measure> {
    let arms = arms(results, table);
    Measure::TABLE.into_iter().filter(|m| arms.iter().any(|arm| arm.measures.contains_key(m))).collect()
}

fn cell(arm: &ArmResult, measure: Measure) -> String {
    arm.statistic(measure).map_or_else(|| "–".to_owned(), |s| s.text(measure))
}

fn html_table(results: &Results, table: &Table) -> String {
    let measures = measures(results, table);
    let heads: String = measures.iter().map(|m| format!("<th>{}</th>", m.title())).collect();
    let rows: String = arms(results, table)
        .into_iter()
        .map(|arm| {
            let cells: String = measures.iter().map(|&m| format!("<td>{}</td>", cell(arm, m))).collect();
            let (name, runs, minutes) = (escape(&arm.name), arm.runs.len(), minutes(arm));
            format!("<tr><th>{name}</th><td>{runs}</td>{cells}<td>{minutes}</td></tr>\n")
        })
        .collect();
    format!(
        "<section>\n<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table>\n<thead><tr><th></th><th>seeds</th>{heads}\
         <th>minutes</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n<div class=\"charts\">\n{}</div>\n\
         </section>\n",
        escape(&table.title),
        escape(&table.paper),
        chart(results, table).map_or_else(String::new, |chart| chart.render()),
    )
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

fn html_findings(results: &Results) -> String {
    if results.findings.is_empty() {
        return String::new();
    }
    let row = |finding: &FindingResult| {
        let cells: String =
            finding_cells(finding).iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = results.findings.iter().map(row).collect();
    format!(
        "<section>\n<h2>Findings</h2>\n<p>A claim holds where the worst seed of the one arm is above the best seed of \
         the other.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>claim</th><th>by</th><th>better</th>\
         <th>worse</th><th></th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n</section>\n"
    )
}

/// A finding's claim, measure, both arms with their values, and the verdict.
fn finding_cells(result: &FindingResult) -> [String; 5] {
    let finding = &result.finding;
    let side = |name: &str, statistic: &Option<crate::Statistic>| {
        let value = statistic.as_ref().map_or_else(|| "–".to_owned(), |s| s.text(finding.by));
        format!("{name}: {value}")
    };
    [
        finding.claim.clone(),
        finding.by.title().to_owned(),
        side(&finding.better, &result.of_better),
        side(&finding.worse, &result.of_worse),
        result.verdict.text().to_owned(),
    ]
}
