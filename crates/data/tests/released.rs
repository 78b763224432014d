//! The released files, where they are at hand.

use toolrl_data::{TaskKind, load};
use toolrl_testing::shared;

#[test]
fn training_rows() {
    let Some(path) = shared("data/rlla/rlla_sft.json") else {
        return;
    };
    let samples = load(&path).unwrap().samples;
    assert_eq!(samples.len(), 400);
    let count = |kinds: &[TaskKind]| samples.iter().filter(|s| kinds.contains(&s.kind)).count();
    assert_eq!(count(&[TaskKind::OneCall, TaskKind::SeveralCalls]), 341);
    assert_eq!(count(&[TaskKind::NoCall]), 54);
    assert_eq!(count(&[TaskKind::CallAndResponse]), 5);
    assert!(samples.iter().all(|s| s.messages[0].role == "system" && s.messages[1].role == "user"));
    assert!(samples[0].messages[1].content.starts_with("**Dialogue Records History**"));
    assert_eq!(samples[7].id, "rlla_sft:7");
}

#[test]
fn seventeen_gold_replies_cannot_be_scored() {
    let Some(path) = shared("data/rlla/rlla_sft.json") else {
        return;
    };
    let loaded = load(&path).unwrap();
    let found: Vec<_> = loaded.gold.unscorable.iter().map(|u| u.index).collect();
    let expected = [10, 44, 73, 76, 95, 97, 200, 213, 252, 280, 285, 317, 348, 350, 356, 363, 380];
    assert_eq!(found, expected);
    assert_eq!(loaded.gold.checked, 400);
    assert_eq!(loaded.scorable().len(), 383);
}

#[test]
fn both_forms_of_the_test_rows_are_the_same() {
    let (Some(lines), Some(table)) = (shared("data/rlla/test.jsonl"), shared("data/rlla/test.parquet"))
    else {
        return;
    };
    let lines = load(&lines).unwrap().samples;
    assert_eq!(lines, load(&table).unwrap().samples);
    assert_eq!(lines.len(), 80);
    let answers = lines.iter().filter(|s| s.kind == TaskKind::NoCall).count();
    let calls = lines.iter().filter(|s| matches!(s.kind, TaskKind::OneCall | TaskKind::SeveralCalls)).count();
    assert_eq!((calls, answers), (71, 9));
    assert_eq!(lines[3].id, "test:3");
}
