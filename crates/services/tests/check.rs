//! The rules of the check, over a case of our own.

use toolrl_grammar::json;
use toolrl_services::{Call, Case, Cases, Category, Class, Context, ServicesError, Side, check, rows};

/// Tickets and files: three turns, of which the second asks for nothing that can be done.
const CASE: &str = r#"{"id": "multi_turn_base_0", "involved_classes": ["TicketAPI", "GorillaFileSystem"],
    "initial_config": {"TicketAPI": {"current_user": "ann"}, "GorillaFileSystem": {"root": {"home":
    {"type": "directory", "contents": {"list.txt": {"type": "file", "content": "one\ntwo"}}}}}}}"#;
const ANSWER: &str = r#"{"id": "multi_turn_base_0", "ground_truth": [
    ["create_ticket(title='A')", "cat('list.txt')"], [], ["close_ticket(ticket_id=1)", "ls()", "ls()"]]}"#;

const TICKET: &str = r#"{"name": "create_ticket", "parameters": {"title": "A"}}"#;
const READ: &str = r#"{"name": "cat", "parameters": {"file_name": "list.txt"}}"#;
const CLOSE: &str = r#"{"name": "close_ticket", "parameters": {"ticket_id": 1}}"#;
const LIST: &str = r#"{"name": "ls", "parameters": {}}"#;

/// A data folder of this one case.
fn folder(case: &str, answer: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("possible_answer")).expect("a folder");
    for category in Category::ALL {
        let file = format!("BFCL_v3_{}.json", category.name());
        let one_line =
            |text: &str| if category == Category::Base { text.replace('\n', " ") } else { String::new() };
        std::fs::write(folder.path().join(&file), one_line(case)).expect("written");
        std::fs::write(folder.path().join("possible_answer").join(&file), one_line(answer)).expect("written");
    }
    folder
}

fn cases() -> Cases {
    Cases::load(folder(CASE, ANSWER).path()).expect("the cases load")
}

/// Calls by turn and step.
type Turns<'a> = &'a [&'a [&'a [&'a str]]];

/// A row of these calls.
fn row(turns: Turns<'_>) -> String {
    let step = |step: &&[&str]| format!("[{}]", step.join(", "));
    let turn = |turn: &&[&[&str]]| format!("[{}]", turn.iter().map(step).collect::<Vec<_>>().join(", "));
    let turns = turns.iter().map(turn).collect::<Vec<_>>().join(", ");
    format!("{{\"id\": \"multi_turn_base_0\", \"turns\": [{turns}]}}")
}

#[test]
fn a_verdict_names_its_reason() {
    let valid = "null";
    let (empty, state) =
        ("\"multi_turn:empty_turn_model_response\"", "\"multi_turn:instance_state_mismatch\"");
    let response = "\"multi_turn:execution_response_mismatch\"";
    let terminated = "\"multi_turn:force_terminated\"";
    let table: &[(&str, Turns<'_>, &str)] = &[
        ("as the ground truth", &[&[&[TICKET, READ]], &[], &[&[CLOSE, LIST, LIST]]], valid),
        ("in steps and another order", &[&[&[READ], &[], &[TICKET]], &[], &[&[LIST], &[LIST, CLOSE]]], valid),
        ("read in the turn before", &[&[&[TICKET, READ, LIST, LIST]], &[], &[&[CLOSE]]], valid),
        ("more reads", &[&[&[TICKET, READ, READ]], &[&[READ]], &[&[CLOSE, LIST, LIST]]], valid),
        ("done in the empty turn", &[&[&[TICKET, READ]], &[&[CLOSE, LIST, LIST]], &[&[LIST]]], valid),
        ("one of two equal results", &[&[&[TICKET, READ]], &[], &[&[CLOSE, LIST]]], response),
        ("no read", &[&[&[TICKET]], &[], &[&[CLOSE, LIST, LIST]]], response),
        ("a ticket too many", &[&[&[TICKET, TICKET, READ]], &[], &[&[CLOSE, LIST, LIST]]], state),
        ("closed too early", &[&[&[TICKET, READ, CLOSE]], &[], &[&[LIST, LIST]]], state),
        ("an empty turn", &[&[&[TICKET, READ]], &[], &[]], empty),
        ("a turn of an empty step", &[&[&[]], &[], &[&[CLOSE]]], empty),
        ("a turn is missing", &[&[&[TICKET, READ]], &[]], terminated),
        ("no turn", &[], terminated),
    ];
    let cases = cases();
    for (name, turns, error) in table {
        let valid = *error == "null";
        let wanted =
            format!("{{\"id\": \"multi_turn_base_0\", \"valid\": {valid}, \"error_type\": {error}}}");
        assert_eq!(rows::answer(row(turns).as_bytes(), &cases).unwrap(), wanted, "{name}");
    }
}

#[test]
fn a_trace_shows_results_and_state() {
    let row = format!(r#"{{"id": "multi_turn_base_0", "turns": [{{"calls": [{READ}]}}, {{"calls": []}}]}}"#);
    let answer = rows::answer(row.as_bytes(), &cases()).unwrap();
    let wanted = [
        r#"{"id": "multi_turn_base_0", "turns": [{"calls": ["#,
        READ,
        r#"], "results": ["{\"file_content\": \"one\\ntwo\"}"]}, {"calls": [], "results": []}], "#,
        r#""final_state": {"TicketAPI": {"ticket_queue": [], "ticket_counter": 1, "current_user": "ann"}, "#,
        r#""GorillaFileSystem": {"long_context": false, "root": {"type": "directory", "name": "home", "#,
        r#""contents": {"list.txt": {"type": "file", "name": "list.txt", "content": "one\ntwo"}}}}}}"#,
    ];
    assert_eq!(answer, wanted.concat());
}

#[test]
fn long_texts_are_shown_by_their_hash() {
    let long = "x".repeat(rows::LONGEST_TEXT);
    let call = format!(r#"{{"name": "echo", "parameters": {{"content": "{long}"}}}}"#);
    let row = format!(r#"{{"id": "multi_turn_base_0", "turns": [{{"calls": [{call}]}}]}}"#);
    let answer = rows::answer(row.as_bytes(), &cases()).unwrap();
    assert!(answer.contains(r#""len": 3023, "head": "{\"terminal_output\": \"xxx"#), "{answer}");
}

#[test]
fn bad_rows_and_cases_say_what_is_wrong() {
    let cases = cases();
    let bad_rows = [
        ("{", "not JSON: "),
        ("{}", "field \"id\": expected a string, found nothing"),
        (r#"{"id": "x"}"#, "unknown case \"x\""),
        (r#"{"id": "multi_turn_base_0"}"#, "field \"turns\": expected a list, found nothing"),
        (r#"{"id": "multi_turn_base_0", "turns": [5]}"#, "field \"turns\": expected lists of steps of calls"),
        (r#"{"id": "multi_turn_base_0", "turns": [[[{"name": 1}]]]}"#, "field \"name\": expected a string"),
    ];
    for (row, wanted) in bad_rows {
        let error = rows::answer(row.as_bytes(), &cases).unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{row}: {error}");
    }
    let bad_cases = [
        (
            CASE.replace("TicketAPI\", \"Gor", "NoAPI\", \"Gor"),
            ANSWER.into(),
            "line 1: unknown service class \"NoAPI\"",
        ),
        (
            CASE.into(),
            ANSWER.replace("base_0", "base_1"),
            "line 1: case \"multi_turn_base_0\" has no counterpart",
        ),
        (String::new(), ANSWER.into(), "case \"multi_turn_base_0\" has no counterpart"),
        (CASE.into(), "{}".into(), "line 1: field \"id\": expected a string, found nothing"),
    ];
    for (case, answer, wanted) in bad_cases {
        let error = Cases::load(folder(&case, &answer).path()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let absent = Cases::load(std::path::Path::new("/none")).unwrap_err();
    assert!(matches!(absent, ServicesError::Read { .. }), "{absent}");
}

/// A text with a function's name before a bracket never agrees between the two sides, as in the released
/// evaluator; without the bracket it does.
#[test]
fn a_call_inside_a_text_names_the_side() {
    let ground_truth = |text: &str| Case {
        id: "demo_0".into(),
        category: Category::Base,
        context: Context::Plain,
        classes: vec![Class::TicketAPI],
        initial_config: json::parse(r#"{"TicketAPI": {"current_user": "ann"}}"#).expect("JSON").into_owned(),
        ground_truth: vec![vec![format!("create_ticket(title='{text}')")]],
    };
    for (text, agrees) in [("to logout (now)", false), ("to log out (now)", true)] {
        let parameters = format!(r#"{{"title": "{text}"}}"#);
        let call = Call::new("create_ticket", &json::parse(&parameters).unwrap()).unwrap();
        let case = ground_truth(text);
        assert_eq!(check(&case, &[vec![vec![call]]]).unwrap().is_ok(), agrees, "{text}");
    }
    let mut session = ground_truth("x").session(Side::Model).unwrap();
    assert!(session.execute("create_ticket(title='see (below)')").contains("see(below)"));
}
