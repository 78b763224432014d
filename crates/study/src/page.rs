//! The results as a page and as Markdown.

use minijinja::{Environment, Value, context};
use toolrl_train::report::{Chart, Series, whole_page};

use crate::{ArmResult, FindingResult, Measure, Results, StudyError, Table};

/// What the tables' columns are.
const COLUMNS: &str = "Values are mean ± standard deviation over seeds, of greedy replies to held-out tasks. Reward: by \
    the evaluation's terms. Exact: the gold calls and no other. Format: the strict form. Minutes: a seed's run time on its \
    share of the cores, evaluations included. A policy that is not trained has one evaluation, and so no spread.";

/// How curves are read.
const CURVES: &str = "Curves are of the reward that each arm is trained by: where arms differ in that, their heights do \
    not compare. The bold line is a moving mean.";

/// The templates: of the page's body, in which values are escaped by the name's ending, and of the tables.
const TEMPLATES: [(&str, &str); 2] =
    [("page.html", include_str!("page.html")), ("tables.md", include_str!("tables.md"))];

/// `report.html`: tables, curves and findings in one file that needs no network.
///
/// # Errors
/// [`StudyError::Page`], which would be a fault of the template.
pub fn page(results: &Results) -> Result<String, StudyError> {
    Ok(whole_page(&format!("Study: {}", results.study.name), &render("page.html", results)?))
}

/// The same as Markdown, without the curves.
///
/// # Errors
/// As [`page`].
pub fn markdown(results: &Results) -> Result<String, StudyError> {
    render("tables.md", results)
}

fn render(template: &str, results: &Results) -> Result<String, StudyError> {
    let mut environment = Environment::new();
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let values = context! {
        about => results.study.about.as_str(),
        done => done(results),
        columns => COLUMNS,
        curves => CURVES,
        findings => results.findings.iter().map(|finding| finding_cells(finding).to_vec()).collect::<Vec<_>>(),
        tables => results.study.tables().iter().map(|table| table_values(results, table)).collect::<Vec<_>>(),
    };
    Ok(environment.get_template(template)?.render(values)?)
}

/// A table's title, head and rows, and its curves as SVG.
fn table_values(results: &Results, table: &Table) -> Value {
    let measures = measures(results, table);
    let row = |arm: &ArmResult| {
        let cells = measures.iter().map(|&measure| cell(arm, measure));
        let (first, last) = ([arm.name.clone(), arm.runs.len().to_string()], minutes(arm));
        first.into_iter().chain(cells).chain([last]).collect::<Vec<_>>()
    };
    let titles = measures.iter().map(|measure| measure.title());
    context! {
        title => table.title.as_str(),
        paper => table.paper.as_str(),
        heads => ["seeds"].into_iter().chain(titles).chain(["minutes"]).collect::<Vec<_>>(),
        rows => arms(results, table).into_iter().map(row).collect::<Vec<_>>(),
        chart => chart(results, table).map_or_else(String::new, |chart| chart.render()),
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Curve, CurvePoint, Statistic, Study};

    const STUDY: &str = r#"
name = "small"
about = "<i>"
seeds = [1, 2]
[[arm]]
name = "raw"
[[arm]]
name = "a<b"
[[arm.stage]]
recipe = "quickstart"
[[finding]]
claim = "training helps & pays"
better = "a<b"
worse = "raw"
by = "reward"
"#;

    fn results() -> Results {
        let study = Study::parse(STUDY).unwrap();
        let arm = |(name, values, points): (&str, [f64; 2], Vec<CurvePoint>)| {
            let measures = BTreeMap::from([(Measure::Reward, Statistic::of(values.to_vec()).unwrap())]);
            ArmResult { name: name.to_owned(), runs: Vec::new(), measures, curve: Curve(points) }
        };
        let point = |step| CurvePoint { step, mean: 1.0, min: 0.5, max: 1.5 };
        let arms = [("raw", [0.25, 0.25], vec![]), ("a<b", [1.0, 2.0], vec![point(1), point(2)])].map(arm);
        let findings = study.findings.iter().map(|finding| FindingResult::of(finding, &arms)).collect();
        Results { study, done: 1, planned: 4, seconds: 120.0, arms: arms.to_vec(), findings }
    }

    #[test]
    fn tables_are_markdown() {
        let expected = "Seeds 1, 2. 1 of 4 runs done, 2 minutes together.\n\n### small\n\n| | seeds | reward | minutes |\n\
            |---|---|---|---|\n| raw | 0 | 0.250 ± 0.000 | – |\n| a<b | 0 | 1.500 ± 0.707 | – |\n\n### Findings\n\n\
            | claim | by | better | worse | |\n|---|---|---|---|---|\n\
            | training helps & pays | reward | a<b: 1.500 ± 0.707 | raw: 0.250 ± 0.000 | holds |\n";
        assert_eq!(markdown(&results()).unwrap(), expected);
    }

    #[test]
    fn the_page_escapes_texts_and_draws_curves() {
        let page = page(&results()).unwrap();
        for part in [
            "<p class=\"lead\">&lt;i&gt;</p>",
            "<tr><th>a&lt;b</th><td>0</td><td>1.500 ± 0.707</td><td>–</td></tr>",
            "<td>training helps &amp; pays</td>",
            "<svg",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("a<b") && !page.contains("<i>"));
    }
}
