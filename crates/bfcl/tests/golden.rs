//! The official verdicts, decodes and prompts, all of them.

use std::time::Instant;

use toolrl_bfcl::rows::{Row, prompt_hash};
use toolrl_bfcl::{Benchmark, Category, Group, Names, PromptFile, Sources, Target, check};
use toolrl_grammar::json::{self, Value};
use toolrl_testing::{shared, shared_lines};

fn single_turn() -> Option<Benchmark> {
    let sources = Sources::new(shared("data/bfcl_v3")?);
    Some(Benchmark::load(&sources, &Category::single_turn()).expect("the benchmark loads"))
}

/// How many lines there are, all of which must be answered by the golden fields.
fn agree(lines: &[String], benchmark: &Benchmark, fields: &[&str]) -> usize {
    let difference = |line: &String| {
        let golden = json::parse(line).expect("the golden row is JSON");
        let found = Row::parse(line).expect("it is a row").verdict(benchmark).expect("it has a verdict");
        let same = |field: &&&str| {
            let text = |value: &Value<'_>| value.get(field).map(ToString::to_string);
            text(&golden) == text(&found)
        };
        fields.iter().find(|field| !same(field)).map(|field| format!("{field}\n{found}\n{golden}"))
    };
    let differences: Vec<String> = lines.iter().filter_map(difference).collect();
    let first = differences.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} of {}\n{first}", differences.len(), lines.len());
    lines.len()
}

#[test]
fn every_verdict_is_official() {
    let Some(benchmark) = single_turn() else { return };
    let Some(lines) = shared_lines("golden/bfcl/bfcl_ast_dev.jsonl.gz") else { return };
    let start = Instant::now();
    let count = agree(&lines, &benchmark, &["valid", "error_type"]);
    eprintln!("{count} verdicts in {:?}", start.elapsed());
    assert!(count >= 7648);
}

#[test]
fn every_decode_is_official() {
    let Some(benchmark) = single_turn() else { return };
    let Some(lines) = shared_lines("golden/bfcl/bfcl_rlla_decode_dev.jsonl.gz") else { return };
    let fields = ["decode_ast", "format_ok", "empty", "decode_execute", "execute_error"];
    assert!(agree(&lines, &benchmark, &fields) >= 757);
}

#[test]
fn every_prompt_is_official() {
    let Some(benchmark) = single_turn() else { return };
    let Some(lines) = shared_lines("golden/bfcl/bfcl_rlla_prompts.jsonl.gz") else { return };
    let Some(prompts) = shared("data/prompts/toolrl.json") else { return };
    let prompts = PromptFile::parse(&std::fs::read(prompts).expect("it is read")).expect("a prompt file");
    let mut wrong = Vec::new();
    for line in &lines {
        let golden = json::parse(line).expect("the golden row is JSON");
        let text = |field: &str| {
            String::from_utf8_lossy(golden.get(field).and_then(Value::as_bytes).unwrap_or_default())
                .into_owned()
        };
        let case = benchmark.case(&text("id")).expect("the case is there");
        let prompt = prompts.first_turn(case).chatml();
        let found = prompt_hash((case.category.name(), &case.id), &prompt);
        if found.get("sha256").map(ToString::to_string) != golden.get("sha256").map(ToString::to_string) {
            wrong.push(format!("{}: {}\n{}", text("id"), prompt, text("prompt")));
        }
    }
    let first = wrong.first().map_or("", String::as_str);
    assert!(wrong.is_empty(), "{} of {}: {first}", wrong.len(), lines.len());
    assert_eq!(lines.len(), 3641);
    assert_eq!(benchmark.cases().len(), 3641);
}

#[test]
fn every_category_loads() {
    let Some(data) = shared("data/bfcl_v3") else { return };
    let Some(retired) = shared("data/bfcl_v3_retired_exec") else { return };
    let benchmark = Benchmark::load(&Sources { data, retired }, &Category::ALL).expect("it loads");
    let sizes = Category::ALL
        .map(|category| (category, benchmark.cases().filter(|case| case.category == category).count()));
    assert_eq!(sizes, Category::ALL.map(|category| (category, category.size())));
}

/// The ground-truth calls of the retired categories pass against themselves, but for one that gives
/// a parameter which its function lacks, and for two that mix integers into a list of floats.
#[test]
fn retired_answers_are_right() {
    let Some(retired) = shared("data/bfcl_v3_retired_exec") else { return };
    let sources = Sources { data: retired.clone(), retired };
    let categories = Category::of_groups(&[Group::RetiredExec]);
    let benchmark = Benchmark::load(&sources, &categories).expect("it loads");
    let mut wrong = Vec::new();
    for case in benchmark.cases() {
        let Target::Calls(answers) = &case.target else {
            assert!(case.category == Category::Rest && check(case, None, Names::Dotted).is_err());
            continue;
        };
        let calls = answers.iter().map(|answer| {
            let given = answer.options.iter().map(|(name, options)| (name.clone(), options[0].clone()));
            let name = answer.signature.name.clone().into();
            Value::Object([(name, Value::Object(given.collect()))].into_iter().collect())
        });
        let calls = Value::List(calls.collect());
        if let Err(error) = check(case, Some(&calls), Names::Dotted).expect("a verdict") {
            wrong.push(format!("{} {error}", case.id));
        }
    }
    let expected = [
        "exec_simple_93 type_error:nested",
        "exec_multiple_45 simple_function_checker:unexpected_param",
        "exec_multiple_46 type_error:nested",
    ];
    assert_eq!(wrong, expected);
}
