//! The released scores, all of them.

use toolrl_api_bank::rows::Row;
use toolrl_api_bank::{Level, load};
use toolrl_grammar::json::{self, Value};
use toolrl_testing::{shared, shared_lines};

#[test]
fn every_score_is_the_released_one() {
    let Some(folder) = shared("data/api_bank") else { return };
    let Some(lines) = shared_lines("golden/api_bank/apibank_dev.jsonl.gz") else { return };
    let cases = load(&folder, &Level::ALL).expect("the benchmark loads");
    assert_eq!(cases.len(), 399 + 67 + 131);
    assert_eq!(cases[400].key(), "Level2_1");
    let mut hard = 0;
    for line in &lines {
        let golden = json::parse(line).expect("the golden row is JSON");
        let found = Row::parse(line).expect("it is a row").scored(&cases).expect("its case is there");
        for field in ["level", "id", "score", "n_tool_calls", "thought"] {
            let text = |value: &Value<'_>| value.get(field).map(ToString::to_string);
            assert_eq!(text(&found), text(&golden), "{field} of {line}");
        }
        let one = |field: &str| found.get(field).map(ToString::to_string) == Some("1".into());
        assert!(one("score") || !one("hard"), "hard match is the stricter: {line}");
        hard += usize::from(one("hard"));
    }
    assert!(lines.len() >= 2990 && hard > 0);
}
