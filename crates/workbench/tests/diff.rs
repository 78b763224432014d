//! Two rewards on the same rows.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{row, rows, word, words};
use toolrl_reward::Rubric;
use toolrl_workbench::{Diff, DiffReport, Reward, Row, Scaling};

fn compare(a: &Reward, b: &Reward, rows: &[Row], limit: usize) -> DiffReport {
    let mut diff = Diff::new(&a.name, &b.name, limit);
    for ((row, a), b) in rows.iter().zip(a.score(rows)).zip(b.score(rows)) {
        diff.add(row, &a, &b);
    }
    diff.finish()
}

/// A is the first word, B the second.
fn first_and_second() -> (Reward, Reward) {
    (words(&[1.0, 0.0]), words(&[0.0, 1.0]))
}

#[test]
fn scores_and_orders_are_compared_within_groups() {
    let rows = rows(&[
        // A ranks 1 < 2 < 3, B 3 < 1 < 2: two pairs flip.
        ("x", "1 5"),
        ("x", "2 6"),
        ("x", "3 4"),
        // A tie of A, which B breaks.
        ("y", "1 1"),
        ("y", "1 2"),
        // A group of one.
        ("z", "0 9"),
    ]);
    let (a, b) = first_and_second();
    let report = compare(&a, &b, &rows, 10);
    assert_eq!((report.rows, report.unscorable, report.differing), (6, 0, 5));
    assert_eq!((report.a.mean, report.b.mean, report.a.given), (8.0 / 6.0, 27.0 / 6.0, (0.0, 3.0)));
    assert_eq!(report.scaling, Scaling::Range);
    assert!((report.mean_difference - 19.0 / 6.0).abs() < 1e-12);
    assert!((report.mean_scaled_difference - 19.0 / 6.0 / 20.0).abs() < 1e-12);
    assert_eq!((report.groups, report.reordered_groups, report.pairs.all), (2, 2, 4));
    assert_eq!((report.pairs.flipped, report.pairs.concordant, report.pairs.ties_broken_by_b), (2, 1, 1));
    assert_eq!((report.flipped_share, report.broken_tie_share), (0.5, 0.25));
    // (1 - 2) / 3 in the first group; the second has none, because A ties all of it.
    assert!((report.kendall_tau.unwrap() + 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(report.greatest[0].row, 6);
    assert_eq!(report.greatest[0].terms, [("t0".into(), Some(0.0), None), ("t1".into(), None, Some(9.0))]);
    let pairs: Vec<_> = report.reordered.iter().map(|pair| pair.rows).collect();
    assert_eq!(pairs.len(), 2, "one a group: {pairs:?}");
    assert!(
        report.reordered[0].a.0 > report.reordered[0].a.1
            && report.reordered[0].b.0 < report.reordered[0].b.1
    );
    assert!(report.to_string().contains("pairs 4: 50.0% flip"), "{report}");
}

#[test]
fn a_reward_agrees_with_itself() {
    let rows = rows(&[("x", "1 1"), ("x", "2 2"), ("x", "2 2")]);
    let (a, _) = first_and_second();
    let report = compare(&a, &a, &rows, 10);
    assert_eq!((report.differing, report.reordered_groups, report.kendall_tau), (0, 0, Some(1.0)));
    assert!(report.greatest.is_empty() && report.reordered.is_empty());
}

#[test]
fn an_infinite_range_is_replaced_by_what_was_given() {
    let endless = Rubric::new(vec![(1.0, word("t0", 0, (f64::NEG_INFINITY, f64::INFINITY)))]).unwrap();
    let rows = rows(&[("x", "100 0"), ("x", "300 10"), ("x", "200 10")]);
    let report = compare(&Reward::fixed("endless", endless, 1), &words(&[0.0, 1.0]), &rows, 10);
    assert_eq!(report.scaling, Scaling::Given);
    assert!((report.mean_absolute_scaled_difference - 0.5 / 3.0).abs() < 1e-12);
}

#[test]
fn the_greatest_differences_are_kept_whatever_the_order_of_rows() {
    let replies: Vec<String> = (0..200).map(|i| format!("0 {}", (i * 37 % 200) as f64 / 20.0)).collect();
    let pairs: Vec<_> = replies.iter().map(|reply| ("x", reply.as_str())).collect();
    let (a, b) = first_and_second();
    let report = compare(&a, &b, &rows(&pairs), 3);
    let kept: Vec<f64> = report.greatest.iter().map(|row| row.b).collect();
    assert_eq!(kept, [9.95, 9.9, 9.85]);
    assert!(compare(&a, &b, &rows(&pairs), 0).greatest.is_empty());
}

#[test]
fn nothing_and_what_cannot_be_scored_are_no_figures() {
    let (a, b) = first_and_second();
    let report = compare(&a, &b, &[], 10);
    assert_eq!((report.rows, report.groups, report.kendall_tau, report.mean_difference), (0, 0, None, 0.0));
    let report = compare(&a, &b, &[row(1, "1 2", "<tool_call> no </tool_call>")], 10);
    assert_eq!((report.rows, report.unscorable), (0, 1));
    assert!(serde_json::to_string(&report).unwrap().contains("\"unscorable\":1"));
}

#[test]
fn a_huge_group_takes_no_quadratic_time() {
    let mut diff = Diff::new("a", "b", 5);
    let (a, b) = first_and_second();
    let one = rows(&[("x", "1 2"), ("x", "2 1")]);
    let (of_a, of_b) = (a.score(&one), b.score(&one));
    for i in 0..200_000 {
        diff.add(&one[i % 2], &of_a[i % 2], &of_b[i % 2]);
    }
    let report = diff.finish();
    assert_eq!(report.pairs.flipped, 100_000 * 100_000);
    assert_eq!(report.kendall_tau, Some(-1.0));
}
