//! Rewards: rows of replies with their references, scored, explained and compared.

use toolrl_grammar::{json, parse};
use toolrl_reward::rows::{Row as ReleasedRow, scored};
use toolrl_reward::{Context, Reference, Rubric, Score, explain};
use toolrl_workbench::{Diff, Forecast, Page, Reward, Row, groups};

use crate::folder::two_parts;

/// Lines of one input that are looked at together.
const MOST_ROWS: usize = 8;

/// Scores rows of either form, and the bytes themselves as a reply and its reference. A score is the
/// weighted sum of its terms, each in its range; no text of a row becomes markup of the page.
pub fn reward_row(data: &[u8]) {
    if let Ok(row) = ReleasedRow::parse(data) {
        let line = scored(&row).to_string();
        json::parse(&line).expect("a score is a line of JSON");
        match row.score() {
            Ok(score) => {
                adds_up(&score);
                assert!(!row.explain().expect("what has a score can be explained").is_empty());
            }
            Err(error) => assert!(row.explain().is_err() && !error.to_string().is_empty()),
        }
    }
    let (reply, gold) = two_parts(data);
    if let Ok(reference) = Reference::parse(gold) {
        let parsed = parse(reply);
        for context in [Context::evaluation(), Context::training(7, 105)] {
            let rubric = Rubric::toolrl();
            let score = rubric.score(&parsed, &reference, &context).expect("no term stops");
            let (least, most) = rubric.range(&context);
            assert!((least..=most).contains(&score.total), "{} in {least} to {most}", score.total);
            adds_up(&score);
            assert!(!explain(&parsed, &reference, &score).is_empty());
        }
    }
    let lines = data.split(|&byte| byte == b'\n').take(MOST_ROWS).zip(1..);
    let rows: Vec<Row> = lines.filter_map(|(line, number)| Row::parse(line, number, None).ok()).collect();
    if !rows.is_empty() {
        compare(&rows);
    }
}

/// Panics unless the total is the sum of the terms times their weights.
fn adds_up(score: &Score) {
    let sum: f64 = score.terms.iter().map(|term| term.weight * term.score.value).sum();
    assert!((sum - score.total).abs() < 1e-9, "{sum} is not {}", score.total);
    for term in &score.terms {
        let (least, most) = term.range;
        assert!((least..=most).contains(&term.score.value), "{}: {}", term.id, term.score.value);
    }
}

/// What the workbench does with rows.
fn compare(rows: &[Row]) {
    let rewards = [Reward::per_row(), Reward::released("COARSEREWARD").expect("a flag")];
    let scores = rewards.each_ref().map(|reward| reward.score(rows));
    let mut diff = Diff::new(&rewards[0].name, &rewards[1].name, 4);
    let mut page = Page::new();
    let mut forecast = Forecast::new();
    for (index, row) in rows.iter().enumerate() {
        diff.add(row, &scores[0][index], &scores[1][index]);
        forecast.add(row, &scores[0][index]);
        match &scores[0][index] {
            Ok(scored) => {
                let (least, most) = scored.range;
                assert!((least - 1e-9..=most + 1e-9).contains(&scored.score.total));
                page.add(row, scored);
            }
            Err(error) => page.add_unscorable(row, &error.to_string()),
        }
    }
    let report = diff.finish();
    assert!(report.rows <= rows.len() && report.differing <= report.rows);
    assert_eq!(forecast.finish(2).is_ok(), scores[0].iter().any(Result::is_ok));
    let tags = |page: &str| ["<script", "<img", "<a ", "<iframe"].map(|tag| page.matches(tag).count());
    let finished = |page: Page| page.finish("t").expect("our own template renders");
    assert_eq!(tags(&finished(page)), tags(&finished(Page::new())), "a row's text became markup");
    let keys: Vec<_> = rows.iter().map(|row| (row.key.clone(), row.id.clone())).collect();
    let groups = groups(&keys);
    assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), rows.len());
}
