//! The released reward, to the bit, errors included.

use toolrl_grammar::json::{self, Value};
use toolrl_reward::RewardError;
use toolrl_reward::rows::{Row, scored};
use toolrl_testing::shared_lines;

/// What is wrong with a row's score.
fn difference(line: &str) -> Option<String> {
    let golden = json::parse(line).expect("the golden row is JSON");
    let row = Row::parse(line).expect("the golden row is a row");
    let found = scored(&row);
    let raises = golden.get("raises").and_then(Value::as_bytes);
    let kind_agrees = matches!(
        (raises, row.score()),
        (None, Ok(_))
            | (Some(b"NotImplementedError"), Err(RewardError::NoTemplate))
            | (Some(_), Err(RewardError::Reference(_)))
    );
    let bits_agree = match (golden.get("bits"), found.get("bits")) {
        (Some(golden), Some(found)) => json::equal(golden, found),
        (None, None) => found.get("error").is_some() && found.get("score").is_none(),
        _ => false,
    };
    let id_agrees = golden.get("id").map(ToString::to_string) == found.get("id").map(ToString::to_string);
    let id = golden.get("id").map(ToString::to_string).unwrap_or_default();
    (!kind_agrees || !bits_agree || !id_agrees).then(|| {
        let bits = golden.get("bits").map(ToString::to_string);
        format!("{id}: wanted {bits:?} {:?}, found {found}", raises.map(String::from_utf8_lossy))
    })
}

#[test]
fn every_golden_row_agrees_to_the_bit() {
    let Some(lines) = shared_lines("golden/reward/reward_dev.jsonl.gz") else {
        return;
    };
    assert_eq!(lines.len(), 20_091);
    let differences: Vec<String> = lines.iter().filter_map(|line| difference(line)).collect();
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} rows differ:\n{shown}", differences.len());
}

#[test]
fn every_benchmark_row_has_its_score() {
    let Some(lines) = shared_lines("golden/reward/reward_bench.jsonl.gz") else {
        return;
    };
    assert_eq!(lines.len(), 5_000);
    for line in &lines {
        let golden = json::parse(line).expect("JSON");
        let found = scored(&Row::parse(line).expect("a row"));
        for part in ["score", "format", "correctness", "length"] {
            let (golden, found) = (golden.get(part).expect(part), found.get(part).expect(part));
            assert!(json::equal(golden, found), "{part} {golden} {found}: {line}");
        }
    }
}

#[test]
fn every_scored_golden_row_can_be_explained() {
    let Some(lines) = shared_lines("golden/reward/reward_dev.jsonl.gz") else {
        return;
    };
    for line in lines.iter().step_by(7) {
        let row = Row::parse(line).expect("a row");
        assert_eq!(row.score().is_ok(), row.explain().is_ok());
        assert!(row.explain().map_or(true, |text| text.starts_with("total ")));
    }
}
