//! Hostile rows are explained, compared and forecast, and soon.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::{CALL, row};
use toolrl_workbench::{Diff, Forecast, Page, Reward, Row};

/// What one row may take, in an optimised build on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

fn replies() -> Vec<(&'static str, String)> {
    let call = "{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": 2}}\n";
    let block = |lines: &str| format!("<think> a </think>\n<tool_call>\n{}\n</tool_call>", lines.trim_end());
    let keys: Vec<String> = (0..100_000).map(|key| format!("\"k{key}\": 1")).collect();
    vec![
        ("ten megabytes of words", block(&"word ".repeat(2 << 20))),
        ("two thousand calls", block(&call.repeat(2_000))),
        ("many keys", block(&format!("{{\"name\": \"f\", \"parameters\": {{{}}}}}", keys.join(", ")))),
        ("brackets", block(&"[".repeat(100_000))),
        ("pairs of brackets", block(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))),
        ("one character", "<".repeat(1 << 20)),
        ("tags", "<tool_call></tool_call>".repeat(40_000)),
        ("NUL bytes", "\0".repeat(1 << 20)),
        ("markup", block("<script>alert(1)</script>\"'><img src=x onerror=alert(1)>")),
    ]
}

#[test]
fn hostile_rows_are_looked_at() {
    let rewards = [Reward::per_row(), Reward::released("COARSEREWARD").unwrap()];
    for (name, reply) in replies() {
        let start = Instant::now();
        let rows = [row(1, &reply, CALL), row(2, CALL, CALL)];
        let scores = rewards.each_ref().map(|reward| reward.score(&rows));
        let (mut page, mut forecast) = (Page::new(), Forecast::new());
        let mut diff = Diff::new(&rewards[0].name, &rewards[1].name, 4);
        for (index, row) in rows.iter().enumerate() {
            page.add(row, scores[0][index].as_ref().unwrap());
            forecast.add(row, &scores[0][index]);
            diff.add(row, &scores[0][index], &scores[1][index]);
        }
        assert_eq!(diff.finish().rows, 2, "{name}");
        forecast.finish(2).unwrap();
        let page = page.finish("t").unwrap();
        assert_eq!(
            page.matches("<script").count(),
            Page::new().finish("t").unwrap().matches("<script").count()
        );
        assert!(!page.contains("<img"), "{name}");
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn hostile_lines_are_rows_or_errors() {
    let surrogates = format!(r#"{{"completion": "{}", "gold": "", "group": 1}}"#, "\\ud800".repeat(100_000));
    let lines = [
        surrogates,
        "[".repeat(1 << 20),
        format!("{{\"completion\": {}", "{\"a\": ".repeat(100_000)),
        "\0".repeat(99),
    ];
    for (index, line) in lines.iter().enumerate() {
        let start = Instant::now();
        let row = Row::parse(line.as_bytes(), 1, None);
        assert_eq!(row.is_ok(), index == 0, "{index}");
        let scored =
            row.map(|row| Reward::per_row().score(&[row]).remove(0).map(|scored| scored.score.total));
        assert!(scored.is_err() || matches!(scored, Ok(Ok(total)) if total.is_finite()));
        assert!(start.elapsed() < PATIENCE, "{index}: {:?}", start.elapsed());
    }
}
