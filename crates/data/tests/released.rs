//! The released files, where they are at hand.

use std::path::PathBuf;

use toolrl_data::{Role, TaskKind, load};

/// A file of the released data, or none where the data is absent and not required.
fn released(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TOOLRL_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = root.join("data/rlla").join(name);
    if path.is_file() {
        return Some(path);
    }
    let required = std::env::var_os("TOOLRL_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

#[test]
fn training_rows() {
    let Some(path) = released("rlla_sft.json") else {
        return;
    };
    let samples = load(&path).unwrap().samples;
    assert_eq!(samples.len(), 400);
    let count = |kinds: &[TaskKind]| samples.iter().filter(|s| kinds.contains(&s.kind)).count();
    // Some thoughts of rows without an answer mention its tag, and it counts wherever it stands.
    assert!(count(&[TaskKind::OneCall, TaskKind::SeveralCalls]) <= 341);
    assert!(
        samples
            .iter()
            .all(|s| s.messages[0].role == Role::System && s.messages[1].role == Role::User)
    );
    assert!(
        samples[0].messages[1]
            .content
            .starts_with("**Dialogue Records History**")
    );
    assert_eq!(samples[7].id, "rlla_sft:7");
}

#[test]
fn both_forms_of_the_test_rows_are_the_same() {
    let (Some(lines), Some(table)) = (released("test.jsonl"), released("test.parquet")) else {
        return;
    };
    let lines = load(&lines).unwrap().samples;
    assert_eq!(lines, load(&table).unwrap().samples);
    assert_eq!(lines.len(), 80);
    let answers = lines.iter().filter(|s| s.kind == TaskKind::NoCall).count();
    let calls = lines
        .iter()
        .filter(|s| matches!(s.kind, TaskKind::OneCall | TaskKind::SeveralCalls))
        .count();
    assert_eq!((calls, answers), (71, 9));
    assert_eq!(lines[3].id, "test:3");
}
