//! BFCL and API-Bank on the small set of our own: right replies, wrong ones, hostile ones.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{Script, answer, calls, fixture, outcomes};
use toolrl_benchmarks::{ApiBank, Benchmark, Bfcl, BfclSettings, Header, Outcome, RunSettings};
use toolrl_benchmarks::{Report, RunReport, compare, export};
use toolrl_bfcl::{Category, Group, Handler, NativeFormat, Sources};
use toolrl_rollout::{Opening, Reply};

const CREATE: &str = r#"{"name": "create_ticket", "parameters": {"title": "Broken lamp", "priority": 3}}"#;
const CLOSE: &str = r#"{"name": "close_ticket", "parameters": {"ticket_id": 7}}"#;
const MEAN: &str = r#"{"name": "mean", "parameters": {"numbers": [2, 4, 9]}}"#;
const WET: &str = r#"{"name": "create_ticket", "parameters": {"title": "Wet floor", "priority": 2}}"#;

fn bfcl(categories: &[Category], handler: Handler) -> Bfcl {
    let categories = categories.to_vec();
    let settings = BfclSettings { categories, handler, ..BfclSettings::new().unwrap() };
    Bfcl::load(&Sources::new(fixture("bfcl_v3")), settings).unwrap()
}

/// The replies that are right in each multi-turn category.
fn right(category: Category) -> Vec<Reply> {
    let done = || answer("done");
    match category {
        Category::MultiTurnBase => vec![calls(&[CREATE]), done(), calls(&[MEAN]), calls(&[CLOSE]), done()],
        Category::MultiTurnMissFunc => vec![calls(&[CREATE]), done(), done(), calls(&[CLOSE]), done()],
        Category::MultiTurnMissParam => vec![done(), calls(&[WET]), done()],
        _ => vec![calls(&[CREATE]), done(), calls(&[CLOSE]), done()],
    }
}

/// The outcome of a multi-turn case with these replies, and none beyond them.
fn of_replies(category: Category, replies: &[Reply]) -> Outcome {
    let bfcl = bfcl(&[category], Handler::Toolrl);
    let mut script =
        Script::new(|_, step: usize, _: &Opening| Ok(replies.get(step).cloned().unwrap_or_default()));
    outcomes(&bfcl, &mut script, &RunSettings::default()).remove(0)
}

#[test]
fn right_calls_over_several_turns_are_right() {
    for category in Category::of_groups(&[Group::MultiTurn]) {
        let replies = right(category);
        let outcome = of_replies(category, &replies);
        assert!(outcome.right, "{category}: {outcome:?}");
        assert_eq!(outcome.replies.concat().len(), replies.len(), "{category}");
    }
}

#[test]
fn wrong_calls_over_several_turns_are_named() {
    let base = right(Category::MultiTurnBase);
    let with = |at: usize, reply: Reply| {
        let mut replies = base.clone();
        replies[at] = reply;
        replies
    };
    let cases = [
        (Vec::new(), "multi_turn:empty_turn_model_response"),
        (with(3, answer("no")), "multi_turn:instance_state_mismatch"),
        (with(2, calls(&[CLOSE])), "multi_turn:execution_response_mismatch"),
        (vec![calls(&[MEAN]); 30], "multi_turn:force_terminated"),
        (vec![Reply::NONE], "prompt_too_long"),
    ];
    for (replies, failure) in cases {
        let outcome = of_replies(Category::MultiTurnBase, &replies);
        assert_eq!(outcome.failure.as_deref(), Some(failure));
    }
    let outcome = of_replies(Category::MultiTurnBase, &vec![calls(&[MEAN]); 30]);
    assert_eq!(outcome.replies[0].len(), 21, "the step beyond the limit of 20 is the last");
}

#[test]
fn functions_that_come_later_are_told() {
    let dialect = "hermes".parse().unwrap();
    for (handler, told) in
        [(Handler::Toolrl, true), (Handler::Native(NativeFormat::Hermes), true), (dialect, false)]
    {
        let bfcl = bfcl(&[Category::MultiTurnMissFunc], handler);
        let mut asks = Vec::new();
        let mut script = Script::new(|_, _, ask: &Opening| {
            asks.push(ask.clone());
            Ok(Reply::of_text("nothing to call"))
        });
        outcomes(&bfcl, &mut script, &RunSettings::default());
        assert_eq!(asks.len(), 3);
        let text =
            |ask: &Opening| ask.messages.iter().map(|message| message.content.clone()).collect::<String>();
        let tells = |ask: &Opening| {
            (text(ask) + &serde_json::to_string(&ask.tools).unwrap()).contains("close_ticket")
        };
        assert!(!tells(&asks[1]) && tells(&asks[2]), "{handler}");
        assert_eq!(text(&asks[2]).contains("{'name': 'close_ticket'"), told, "{handler}");
        assert!(text(&asks[2]).contains("more functions"));
    }
}

#[test]
fn a_native_handler_has_tools_and_results_as_messages() {
    let bfcl = bfcl(&[Category::MultiTurnLongContext], Handler::Native(NativeFormat::Hermes));
    let call = |name: &str, arguments: &str| {
        Reply::of_text(&format!(
            "<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>"
        ))
    };
    let mut last = Opening::default();
    let mut script = Script::new(|_, step, ask: &Opening| {
        last = ask.clone();
        Ok(match step {
            0 => call("create_ticket", r#"{"title": "Broken lamp", "priority": 3}"#),
            2 => call("close_ticket", r#"{"ticket_id": 7}"#),
            _ => Reply::of_text("done"),
        })
    });
    let outcome = outcomes(&bfcl, &mut script, &RunSettings::default()).remove(0);
    assert!(outcome.right, "{outcome:?}");
    let roles: Vec<&str> = last.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user", "assistant", "tool"]);
    assert_eq!(last.messages[2].fields["name"], "create_ticket");
    assert_eq!(last.tools[0]["parameters"]["type"], "dict", "as the benchmark has it");
}

#[test]
fn single_turns_are_judged_and_counted() {
    let bfcl = bfcl(&[Category::Simple, Category::Irrelevance], Handler::Toolrl);
    let boil = r#"{"name": "kitchen.boil", "parameters": {"litres": 1.5, "tea": "oolong"}}"#;
    let mut script = Script::new(|case, _, ask: &Opening| {
        assert_eq!(ask.messages.iter().map(|m| m.role.as_str()).collect::<Vec<_>>(), ["system", "user"]);
        Ok(if case == 0 { calls(&[boil]) } else { Reply::of_text("I cannot.") })
    });
    let outcomes = outcomes(&bfcl, &mut script, &RunSettings::default());
    let right: Vec<bool> = outcomes.iter().map(|outcome| outcome.right).collect();
    assert_eq!(right, [true, false, true]);
    assert_eq!(outcomes[1].failure.as_deref(), Some("simple_function_checker:wrong_count"));
    assert!(outcomes[0].expected.contains("litres = 1.5"), "{}", outcomes[0].expected);
    let scores = bfcl.scores(&outcomes);
    let simple = scores.iter().find(|score| score.name == "Simple AST").unwrap();
    assert_eq!((simple.shown().as_str(), simple.note.as_str()), ("50.00%", "without java, javascript"));
}

#[test]
fn a_long_context_without_its_texts_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    common::copy(&fixture("bfcl_v3"), folder.path());
    let file = folder.path().join("long_context.py");
    let load = |categories: Vec<Category>| {
        let settings = BfclSettings { categories, ..BfclSettings::new().unwrap() };
        Bfcl::load(&Sources::new(folder.path()), settings)
    };
    let all = || BfclSettings::new().unwrap().categories;
    let others =
        || all().into_iter().filter(|category| *category != Category::MultiTurnLongContext).collect();
    assert_eq!(load(all()).unwrap().cases().len(), 18);
    std::fs::remove_file(&file).unwrap();
    let error = load(all()).unwrap_err().to_string();
    assert!(
        error.starts_with(&file.display().to_string()) && error.contains("leave the category out"),
        "{error}"
    );
    assert_eq!(load(others()).unwrap().cases().len(), 17);
    std::fs::write(&file, "A = [").unwrap();
    let error = load(all()).unwrap_err().to_string();
    assert!(error.contains("long_context.py, line 1"), "{error}");
}

#[test]
fn hostile_replies_are_scored() {
    let bfcl = bfcl(&BfclSettings::new().unwrap().categories, Handler::Toolrl);
    let api_bank = ApiBank::load(&fixture("api_bank")).unwrap();
    let deep =
        format!("<tool_call>\n{{\"name\": \"mean\", \"parameters\": {{\"numbers\": {}", "[".repeat(200_000));
    let hostile = [
        "x".repeat(3 << 20),
        "<tool_call>\n".repeat(100_000),
        deep,
        "<tool_call>\n{\"name\": \"mean\", \"parameters\": {\"numbers\": [1e999, -1e-999]}}\n".to_owned(),
        "\u{0}\u{fffd}\u{202e}<think></think>".to_owned(),
        format!("<tool_call>\n{}\n", MEAN.repeat(2)),
        format!("<tool_call>\n{}\n", [MEAN; 500].join("\n")),
    ];
    for reply in &hostile {
        let mut script = Script::new(|_, _, _: &Opening| Ok(Reply::of_text(reply)));
        let settings = RunSettings { open_cases: 2, ..RunSettings::default() };
        let found =
            outcomes(&bfcl, &mut script, &settings).len() + outcomes(&api_bank, &mut script, &settings).len();
        assert_eq!(found, bfcl.cases().len() + 3);
    }
}

#[test]
fn api_bank_names_what_is_wrong() {
    let api_bank = ApiBank::load(&fixture("api_bank")).unwrap();
    let lend = |title: &str| {
        format!(r#"{{"name": "LendBook", "parameters": {{"reader": "Ada", "title": "{title}"}}}}"#)
    };
    let mut script = Script::new(|case, _, ask: &Opening| {
        assert!(ask.messages[0].content.contains("LendBook"));
        Ok(match case {
            0 => calls(&[&lend("Emma"), "{}"]),
            1 => calls(&[&lend("Emma")]),
            _ => answer("no"),
        })
    });
    let outcomes = outcomes(&api_bank, &mut script, &RunSettings::default());
    let failures: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.failure.as_deref()).collect();
    assert_eq!(failures, [None, Some("wrong_parameters"), Some("no_call")]);
    let scores: Vec<String> = api_bank.scores(&outcomes).iter().map(|score| score.shown()).collect();
    assert_eq!(scores, ["33.33%", "100.00%", "0.00%", "0.00%", "0.00%"]);
}

#[test]
fn a_report_compares_and_escapes() {
    let bfcl = bfcl(&[Category::Simple], Handler::Toolrl);
    let settings = RunSettings::default();
    let report = |reply: &str| {
        let mut script = Script::new(|_, _, _: &Opening| Ok(Reply::of_text(reply)));
        let outcomes = outcomes(&bfcl, &mut script, &settings);
        RunReport::of(&bfcl, &Header::new(&bfcl, "<m>", &settings), &outcomes)
    };
    let (first, second) = (report("<script>alert(1)</script>\u{7}"), report("other"));
    assert!(first.table().contains("simple"), "{}", first.table());
    let report = compare(first, vec![second]);
    let dir = tempfile::tempdir().unwrap();
    report.write(dir.path()).unwrap();
    assert_eq!(Report::read(dir.path()).unwrap(), report);
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;") && !page.contains('\u{7}'));
    for part in ["run 2", "GRPO cold start", "46.20", "0 of 2", "simple_function_checker:wrong_count: 2"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

#[test]
fn official_files_are_written() {
    let categories = [Category::Simple, Category::MultiTurnBase];
    let bfcl = bfcl(&categories, Handler::Toolrl);
    let mut script = Script::new(|_, _, _: &Opening| Ok(Reply::of_text("none")));
    let outcomes = outcomes(&bfcl, &mut script, &RunSettings::default());
    let dir = tempfile::tempdir().unwrap();
    let files = export(&bfcl, &outcomes, dir.path()).unwrap();
    let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts[0].lines().next(), Some(r#"{"id": "simple_0", "result": "[]"}"#));
    assert_eq!(texts[1].lines().next(), Some(r#"{"id": "multi_turn_base_0", "result": [["[]"], ["[]"]]}"#));
}
