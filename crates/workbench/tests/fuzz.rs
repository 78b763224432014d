//! What the fuzzer finds, and what it does not.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{ANSWER, CALL};
use toolrl_grammar::Parsed;
use toolrl_reward::{Context, FnTerm, Reference, Registry, Rubric, Term};
use toolrl_workbench::{CounterExample, FuzzReport, FuzzSettings, Property, fuzz, terms};

const SETTINGS: FuzzSettings = FuzzSettings { cases: 2_000, seed: 5, limit: 50 };

fn two_calls() -> String {
    let call = "{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": 2}}";
    CALL.replace(call, &format!("{call}\n{}", call.replace("\"f\"", "\"g\"").replace("2}", "\"b\\\"{\"}")))
}

fn run(rubric: &Rubric, golds: &[&str]) -> FuzzReport {
    fuzz(rubric, golds.iter().map(|gold| gold.as_bytes()), SETTINGS).unwrap()
}

fn failures(report: &FuzzReport) -> Vec<Property> {
    report.properties.iter().filter(|p| p.failures > 0).map(|p| p.property).collect()
}

fn examples(report: &FuzzReport, property: Property) -> &[CounterExample] {
    &report.properties.iter().find(|p| p.property == property).unwrap().counter_examples
}

fn alone(score: impl Fn(&str) -> f64 + Send + Sync + 'static, range: (f64, f64)) -> Rubric {
    let term = FnTerm::new("own", range, move |parsed: &Parsed<'_>, _: &Reference, _: &Context| {
        score(&String::from_utf8_lossy(parsed.text))
    });
    Rubric::new(vec![(1.0, Box::new(term) as Box<dyn Term>)]).unwrap()
}

fn built_in(text: &str) -> Rubric {
    Rubric::from_config(&terms(text).unwrap(), &Registry::builtin()).unwrap()
}

#[test]
fn the_released_reward_keeps_its_promises_on_calls_of_different_tools() {
    let report =
        run(&Rubric::toolrl(), &[CALL, ANSWER, &two_calls(), &format!("{CALL}\n<response> b </response>")]);
    assert_eq!(failures(&report), [], "{report}");
    assert!(report.properties.iter().all(|p| p.checks > 1_000), "{report}");
    assert_eq!((report.gold, report.left_out, report.seed), (4, 0, 5));
}

#[test]
fn repeating_a_call_of_the_same_tool_pays_once_another_is_left_out() {
    let calls =
        "{\"name\": \"f\", \"parameters\": {\"x\": 1}}\n{\"name\": \"f\", \"parameters\": {\"x\": 2}}";
    let gold = format!("<think> a </think>\n<tool_call>\n{calls}\n</tool_call>");
    let report = run(&Rubric::toolrl(), &[&gold]);
    let found = examples(&report, Property::Monotonic);
    let repeats = |e: &&CounterExample| {
        e.damages.len() == 1
            && e.damages[0].starts_with("drop_call")
            && e.change.as_ref().unwrap().starts_with("duplicate_call")
    };
    let example = found.iter().find(repeats).unwrap_or_else(|| panic!("{report}"));
    assert!(example.after > example.before && example.terms[0].0 == "correctness");
}

#[test]
fn strict_granularity_minds_the_order_and_the_example_is_the_smallest() {
    let report = run(&built_in("correctness:granularity=strict"), &[&two_calls()]);
    assert_eq!(failures(&report), [Property::Equivalent], "{report}");
    let found = examples(&report, Property::Equivalent);
    let order =
        found.iter().find(|e| e.damages.is_empty() && e.change.as_deref() == Some("call_order")).unwrap();
    let call = |name: &str| format!("{{\"name\": \"{name}\", \"parameters\": {{}}}}");
    let smallest =
        |a: &str, b: &str| format!("<think> t </think>\n<tool_call>\n{}\n{}\n</tool_call>", call(a), call(b));
    let is_smallest = order.gold.len() <= smallest("f", "g").len() + 2;
    assert!(is_smallest && order.gold.contains("\"parameters\": {}"), "{}", order.gold);
    assert!(found.iter().any(|e| e.change.as_deref() == Some("key_order")), "{report}");
}

#[test]
fn each_promise_that_a_term_breaks_is_found() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let calls = AtomicU64::new(0);
    let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let cases: [(Rubric, &[Property]); 6] = [
        (
            alone(|text| if text.contains("extra_key") { f64::NAN } else { 0.0 }, (0.0, 1.0)),
            &[Property::Finite],
        ),
        (
            alone(|text| if text.contains("I hope") { panic!("no") } else { 0.0 }, (0.0, 1.0)),
            &[Property::Finite],
        ),
        (
            alone(|text| if text.contains("other_tool") { -2.0 } else { 0.0 }, (-1.0, 0.0)),
            &[Property::Range, Property::Equivalent],
        ),
        (
            alone(move |_| (mixed(calls.fetch_add(1, Ordering::Relaxed)) % 2) as f64, (0.0, 1.0)),
            &[Property::Deterministic, Property::ExactIsBest, Property::Monotonic, Property::Equivalent],
        ),
        (
            alone(|text| if text.contains("I hope") { 1.0 } else { 0.0 }, (0.0, 1.0)),
            &[Property::ExactIsBest, Property::Monotonic],
        ),
        (alone(|text| if text.contains("\\u0065") { 1.0 } else { 0.0 }, (0.0, 1.0)), &[Property::Equivalent]),
    ];
    for (rubric, expected) in cases {
        let report = run(&rubric, &[CALL, ANSWER]);
        for property in expected {
            assert!(failures(&report).contains(property), "{property:?} in {report}");
        }
        assert!(failures(&report).iter().all(|p| expected.contains(p)), "{report}");
    }
}

#[test]
fn a_counter_example_holds_nothing_that_it_can_do_without() {
    let report = run(&alone(|t| if t.contains("I hope") { 1.0 } else { 0.0 }, (0.0, 1.0)), &[&two_calls()]);
    let [example] = examples(&report, Property::ExactIsBest) else { panic!("{report}") };
    assert_eq!(
        (example.damages.as_slice(), example.before, example.after),
        (&["extra_text".to_owned()][..], 0.0, 1.0)
    );
    assert_eq!(example.gold, "<think> a </think>");
    assert_eq!(example.reply_after, "<think> a </think>\nI hope this helps.");
    assert_eq!(example.terms, [("own".to_owned(), 0.0, 1.0)]);
}

#[test]
fn a_seed_repeats_a_run() {
    let golds = [CALL, ANSWER];
    let rubric = built_in("correctness:granularity=strict");
    assert_eq!(run(&rubric, &golds), run(&rubric, &golds));
    assert!(serde_json::to_string(&run(&rubric, &golds)).unwrap().contains("\"exact_is_best\""));
}

#[test]
fn hostile_gold_replies_are_left_out_or_taken() {
    let no_name = "<tool_call>\n{\"parameters\": {}}\n</tool_call>";
    let error = fuzz(&Rubric::toolrl(), [no_name.as_bytes()], SETTINGS).unwrap_err().to_string();
    assert!(error.contains("(1 have calls without name"), "{error}");
    assert!(fuzz(&Rubric::toolrl(), [], SETTINGS).is_err());
    let deep = format!(
        "<tool_call>\n{{\"name\": \"g\", \"parameters\": {{\"a\": {}{}}}}}\n</tool_call>",
        "[".repeat(900),
        "]".repeat(900)
    );
    let huge: Vec<String> = (0..400).map(|i| format!("\"k{i}\": {i}")).collect();
    let huge =
        format!("<tool_call>\n{{\"name\": \"f\", \"parameters\": {{{}}}}}\n</tool_call>", huge.join(", "));
    let odd = "<think> <b> & \u{0} </think>\n<tool_call>\n{\"name\": \"\\ud800\", \"parameters\": {\"\": NaN}}\n</tool_call>";
    let settings = FuzzSettings { cases: 30, ..SETTINGS };
    let golds = [deep.as_bytes(), huge.as_bytes(), odd.as_bytes(), b"", b"\xff\xfe"];
    let report = fuzz(&Rubric::toolrl(), golds, settings).unwrap();
    assert_eq!((report.gold, report.left_out), (5, 0));
}
