//! The texts of the long context: where they are found, what a file must hold, what they change.

mod common;

use std::path::Path;

use proptest::prelude::*;
use toolrl_grammar::json;
use toolrl_services::{Cases, Class, Context, LongContext, ServicesError, Session, Side};

/// A file of our own in the form of BFCL's.
const OWN: &str = include_str!("../../../fixtures/bfcl_v3/long_context.py");
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/bfcl_v3");
const CASE: &str = "multi_turn_long_context_0";

fn parse(text: &str) -> Result<LongContext, ServicesError> {
    LongContext::parse(Path::new("x/long_context.py"), text.as_bytes())
}

/// What each call gives in a long context of our own texts.
fn results(class: Class, config: &str, calls: &[&str]) -> Vec<String> {
    let config = json::parse(config).expect("JSON");
    let context = Context::Long(parse(OWN).expect("the fixture is read"));
    let mut session = Session::new(CASE, &[class], &config, context, Side::Model).expect("it starts");
    calls.iter().map(|call| session.execute(call)).collect()
}

/// Calls and what they give.
type Pairs = &'static [(&'static str, &'static str)];

#[test]
fn services_add_the_texts() {
    let files = r#"{"GorillaFileSystem": {"root": {"home": {"type": "directory", "contents": {
        "list.txt": {"type": "file", "content": "one"}, "a.txt": {"type": "file", "content": "two"}}}}}}"#;
    let trading = r#"{"TradingBot": {"authenticated": true, "watch_list": ["F"],
        "stocks": {"F": {"price": 1.0}}, "orders": {"1": {"symbol": "F"}}}}"#;
    let cases: [(Class, &str, Pairs); 4] = [
        (
            Class::GorillaFileSystem,
            files,
            &[
                ("cat('list.txt')", r#"{"file_content": "one"}"#),
                ("cat('a.txt')", r#"{"file_content": "two\nMore lines follow,\nand then the last."}"#),
                (
                    "ls()",
                    r#"{"current_directory_content": ["list.txt", "a.txt", "apple.txt", "quince.txt"]}"#,
                ),
            ],
        ),
        (
            Class::TradingBot,
            trading,
            &[
                ("get_watchlist()", "['F', 'PEAR', 'PLUM', Ellipsis]"),
                ("get_stock_info('F')", r#"{"price": 1.0, "MA(5)": [1.5, 2.25], "MA(20)": [1.0, 3]}"#),
                (
                    "get_available_stocks('Automobile')",
                    r#"{"stock_list": ["TSLA", "F", "GM", "PLUM", "FIG"]}"#,
                ),
                (
                    "get_order_details(1)",
                    r#"{"symbol": "F", "metadata": {"about": "\n    F grows fruit, and it's \"sweet\".\n    ", "outlook": "Sunny for F."}}"#,
                ),
                (
                    "get_transaction_history()",
                    r#"{"transaction_history": [{"type": "deposit", "amount": 12.5, "timestamp": "2024-02-03 04:05:06"}]}"#,
                ),
            ],
        ),
        (
            Class::TravelAPI,
            "{}",
            &[(
                "get_all_credit_cards()",
                r#"{"credit_card_list": {"4000": {"card_number": "4000", "cardholder_name": "Ada Quill", "balance": 250.0}}}"#,
            )],
        ),
        (
            Class::VehicleControlAPI,
            "{}",
            &[
                (
                    "displayCarStatus('x')",
                    r#"{"metadata": "Colour: green; Doors: 4", "error": "Invalid option"}"#,
                ),
                (
                    "estimate_distance('83214', '74532')",
                    r#"{"distance": 750.0, "intermediaryCities": ["Elm Wood", "Sule"]}"#,
                ),
            ],
        ),
    ];
    for (class, config, pairs) in cases {
        let calls: Vec<&str> = pairs.iter().map(|(call, _)| *call).collect();
        for ((call, wanted), found) in pairs.iter().zip(results(class, config, &calls)) {
            assert_eq!(found, *wanted, "{call}");
        }
    }
}

#[test]
fn a_bad_file_is_refused_at_its_line() {
    let without = OWN.replace("FILES_TAIL_USED", "OTHER");
    let lines = OWN.lines().count();
    let missing = format!("long_context.py, line {}: field \"FILES_TAIL_USED\"", lines + 1);
    let deep = format!("WATCH_LIST_EXTENSION = {}", "[".repeat(1_000_000));
    let cases = [
        (String::new(), "line 1: field \"FILE_CONTENT_EXTENSION\": expected a string, found nothing"),
        (without, &missing),
        (
            OWN.replace("MA_5_EXTENSION = [1.5, 2.25]", "MA_5_EXTENSION = 7"),
            "line 5: field \"MA_5_EXTENSION\": expected a list, found int",
        ),
        (
            OWN.replace("'PLUM', ...]", "'PLUM', open('x')]"),
            "line 3: expected NAME = LITERAL, found: open is no literal",
        ),
        (OWN.replace("WATCH", "import os\nWATCH"), "line 3: expected NAME = LITERAL, found: invalid syntax"),
        (deep, "line 1: expected NAME = LITERAL, found: too many nested parentheses"),
        ("#".repeat((4 << 20) + 1), "more than 4194304 bytes"),
    ];
    for (text, wanted) in cases {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with("x/long_context.py") && error.contains(wanted), "{error}");
    }
    let error = LongContext::parse(Path::new("x.py"), b"A = 1\nB = '\xff'").unwrap_err().to_string();
    assert_eq!(error, "x.py, line 2: expected NAME = LITERAL, found: not UTF-8");
    assert!(parse(&OWN.replace('\n', "\r\n")).is_ok());
}

/// Copies the cases of our own into a folder, without the texts.
fn copy_cases(folder: &Path) {
    common::copy_cases(Path::new(FIXTURE), folder);
}

#[test]
fn the_file_is_found_in_the_folder_and_where_the_package_has_it() {
    for place in [LongContext::FILE, "../eval_checker/multi_turn_eval/func_source_code/long_context.py"] {
        let root = tempfile::tempdir().expect("a folder");
        let data = root.path().join("data");
        copy_cases(&data);
        let cases = Cases::load(&data).expect("the other cases load");
        assert_eq!(cases.len(), 3);
        let error = cases.get(CASE).unwrap_err();
        assert!(matches!(error, ServicesError::NoLongContext { .. }), "{error}");
        let error = error.to_string();
        assert!(error.starts_with(&data.join(LongContext::FILE).display().to_string()), "{error}");
        assert!(error.contains("bfcl-eval 2025.8.6.2"), "{error}");
        assert!(matches!(cases.get("multi_turn_base_9"), Err(ServicesError::UnknownCase { .. })));

        let file = data.join(place);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, "A = \n").expect("written");
        let error = Cases::load(&data).unwrap_err().to_string();
        assert!(error.contains("long_context.py, line 2: expected NAME"), "{error}");
        std::fs::write(&file, OWN).expect("written");
        let cases = Cases::load(&data).expect("every case loads");
        assert_eq!(cases.len(), 4);
        let state = cases.get(CASE).and_then(|case| case.session(Side::Model)).expect("it starts").state();
        assert!(state.get("TicketAPI").is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_file_ends(bytes: Vec<u8>, python in "([A-C] ?= ?)?[\\[\\](){}'\"\\\\a-c0-9.,=:_# \n-]{0,80}") {
        let path = Path::new("x.py");
        prop_assert!(LongContext::parse(path, &bytes).is_err());
        prop_assert!(LongContext::parse(path, python.as_bytes()).is_err());
        let both = format!("{OWN}\n{python}\n");
        let _ = LongContext::parse(path, both.as_bytes());
    }
}
