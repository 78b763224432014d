//! Forecasts against their formulas.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{ANSWER, CALL, row, rows, words};
use toolrl_grpo::AdvantageKind;
use toolrl_workbench::{Forecast, ForecastReport, Reason, Reward, Row, Saturated};

fn forecast(reward: &Reward, rows: &[Row], batch: usize) -> ForecastReport {
    let mut forecast = Forecast::new();
    for (row, scored) in rows.iter().zip(reward.score(rows)) {
        forecast.add(row, &scored);
    }
    forecast.finish(batch).unwrap()
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn shares_are_those_of_the_formula_and_add_up() {
    let rows = rows(&[
        ("x", "1 4"),
        ("x", "2 0"),
        ("x", "6 1"),
        ("y", "0 1"),
        ("y", "3 1"),
        ("z", "5 5"),
        ("z", "5 5"),
    ]);
    let report = forecast(&words(&[1.0, 0.5]), &rows, 6);
    assert_eq!((report.rows, report.groups, report.groups_of_one), (7, 3, 0));
    assert_eq!((report.zero_variance.groups, report.zero_variance.share), (1, 1.0 / 3.0));
    // Group x: t0 deviates by -2, -1, 3, half of t1 by 7/6, -5/6, -2/6. Group y: t0 by -1.5, 1.5.
    let x: [(f64, f64); 3] = [(-2.0, 7.0 / 6.0), (-1.0, -5.0 / 6.0), (3.0, -2.0 / 6.0)];
    let of = |part: &dyn Fn(f64, f64) -> f64| x.iter().map(|(a, b)| part(*a, *b)).sum::<f64>();
    let (xx, x0, x1) = (of(&|a, b| (a + b) * (a + b)), of(&|a, b| a * (a + b)), of(&|a, b| b * (a + b)));
    let yy = 4.5;
    close(report.terms[0].share, (x0 + yy) / (xx + yy));
    close(report.terms[1].share, x1 / (xx + yy));
    let (sx, sy) = ((xx / 2.0).sqrt() + 1e-6, yy.sqrt() + 1e-6);
    let whole = xx / (sx * sx) + yy / (sy * sy);
    close(report.terms[0].share_normalized, (x0 / (sx * sx) + yy / (sy * sy)) / whole);
    // The reward-decoupled advantage of x: each term over its own deviation, the second at half its weight.
    let (s0, s1) = ((14.0_f64 / 2.0).sqrt() + 1e-6, (of(&|_, b| 4.0 * b * b) / 2.0).sqrt() + 1e-6);
    let z: Vec<(f64, f64)> = x.iter().map(|(a, b)| (a / s0, b / s1)).collect();
    let y0 = 2.0 * (1.5 / (4.5_f64.sqrt() + 1e-6)).powi(2);
    let decoupled: f64 = z.iter().map(|(a, b)| a * (a + b)).sum::<f64>() + y0;
    let all: f64 = z.iter().map(|(a, b)| (a + b) * (a + b)).sum::<f64>() + y0;
    close(report.terms[0].share_decoupled.unwrap(), decoupled / all);
    for share in [
        report.terms.iter().map(|t| t.share).sum::<f64>(),
        report.terms.iter().map(|t| t.share_normalized).sum(),
        report.terms.iter().map(|t| t.share_decoupled.unwrap()).sum(),
    ] {
        close(share, 1.0);
    }
    // Two groups of three have a spread; of a batch of six, four on average.
    let normalized = report.advantages.iter().find(|a| a.kind == AdvantageKind::GroupNormalized).unwrap();
    close(normalized.useful_groups, 4.0);
    let centered = report.advantages.iter().find(|a| a.kind == AdvantageKind::MeanCentered).unwrap();
    close(centered.effective_groups, 6.0 / 3.0 * (xx + yy).powi(2) / (xx * xx + yy * yy));
    let r = of(&|a, b| a * b) / ((14.0 + 4.5) * of(&|_, b| b * b)).sqrt();
    close(report.correlations[0].r.unwrap(), r);
}

#[test]
fn parts_of_the_correctness_add_up_to_it() {
    let replies = [
        CALL.to_owned(),
        CALL.replace("2}", "3}"),
        CALL.replace("\"f\"", "\"g\""),
        CALL.replace("\"x\"", "\"z\""),
        "nothing".to_owned(),
    ];
    let rows: Vec<Row> = replies.iter().zip(1..).map(|(reply, number)| row(number, reply, CALL)).collect();
    let report = forecast(&Reward::per_row(), &rows, 1);
    let share =
        |id: &str| report.terms.iter().find(|t| t.id == id).map(|t| (t.share, t.share_normalized)).unwrap();
    let parts = ["correctness/names", "correctness/keys", "correctness/values"].map(share);
    close(parts.iter().map(|p| p.0).sum(), share("correctness").0);
    close(parts.iter().map(|p| p.1).sum(), share("correctness").1);
    close(share("correctness").0 + share("format").0, 1.0);
    assert!(parts.iter().all(|p| p.0 > 0.0));
    // Calls that count as wholes have no such parts.
    let whole = forecast(&Reward::released("INTERMEDIATEREWARD").unwrap(), &rows, 1);
    assert!(whole.terms.iter().all(|term| !term.id.contains('/')));
}

#[test]
fn saturated_terms_and_solved_groups_are_named() {
    let answers = (0..20).map(|i| row(i + 1, if i == 0 { CALL } else { ANSWER }, ANSWER));
    let report = forecast(&Reward::per_row(), &answers.collect::<Vec<_>>(), 1);
    assert_eq!(report.terms[0].saturated, Some(Saturated::AtGreatest));
    assert_eq!(report.terms[1].saturated, Some(Saturated::Flat));
    let solved = [row(1, ANSWER, ANSWER), row(2, ANSWER, ANSWER)];
    let report = forecast(&Reward::per_row(), &solved, 1);
    assert_eq!((report.zero_variance.all_best, report.zero_variance.all_worst), (1, 0), "no call is wanted");
    let failed = [row(1, "", CALL), row(2, "x", CALL)];
    assert_eq!(forecast(&Reward::per_row(), &failed, 1).zero_variance.all_worst, 1);
}

#[test]
fn each_rule_of_the_advice_applies_where_it_should() {
    let groups = |spreads: &[&[&str]]| {
        let named: Vec<(String, &str)> = spreads
            .iter()
            .enumerate()
            .flat_map(|(g, replies)| replies.iter().map(move |r| (g.to_string(), *r)))
            .collect();
        rows(&named.iter().map(|(group, reply)| (group.as_str(), *reply)).collect::<Vec<_>>())
    };
    let spread: &[&str] = &["0 0", "1 1", "2 2", "3 3"];
    let first = |rows: &[Row], weights: &[f64]| {
        let report = forecast(&words(weights), rows, 4);
        (report.advice[0].reason, report.advice[0].advantage.unwrap())
    };
    let flat: &[&str] = &["1 1", "1 1", "1 1", "1 1"];
    let mixed: &[&str] = &["0 3", "3 0", "1 2", "5 5"];
    let drowned: &[&str] = &["0 1", "5 0", "9 0", "3 1"];
    let small: &[&str] = &["0 0", "1 1"];
    let cases = [
        (groups(&[spread, spread, spread]), Reason::Nothing, AdvantageKind::GroupNormalized),
        (groups(&[spread, flat]), Reason::FewUsefulGroups, AdvantageKind::BatchNormalized),
        (groups(&[mixed, spread]), Reason::MixedTies, AdvantageKind::RewardDecoupled),
        (groups(&[drowned, drowned]), Reason::OneTermDrowns, AdvantageKind::RewardDecoupled),
        (groups(&[small, small, small]), Reason::SmallGroups, AdvantageKind::LeaveOneOut),
    ];
    for (rows, reason, advantage) in cases {
        assert_eq!(first(&rows, &[1.0, 1.0]), (reason, advantage));
    }
    let wide: &[&str] = &["0 0", "9 9", "5 5", "1 1"];
    let narrow: &[&str] = &["1 1", "1.1 1.1", "1 1", "1 1"];
    let uneven: Vec<&[&str]> = (0..12).map(|i| if i % 2 == 0 { wide } else { narrow }).collect();
    assert_eq!(first(&groups(&uneven), &[1.0, 1.0]), (Reason::UnequalSpread, AdvantageKind::MeanCentered));
}

#[test]
fn failures_groups_of_one_and_nothing_are_no_panic() {
    // The second word is missing, so that its term is not finite.
    let report = forecast(&words(&[1.0, 1.0]), &rows(&[("x", "1"), ("x", "2 2"), ("y", "3 3")]), 2);
    assert_eq!((report.terms[1].failures, report.groups_of_one), (1, 1));
    assert!(report.to_string().contains("failed on 1 replies"), "{report}");
    let unscorable = [row(1, "a", "<tool_call> no </tool_call>")];
    let mut nothing = Forecast::new();
    nothing.add(&unscorable[0], &Reward::per_row().score(&unscorable)[0]);
    assert_eq!(nothing.finish(4).unwrap_err().to_string(), "no reply could be scored");
    assert!(Forecast::new().finish(1).is_err());
}
