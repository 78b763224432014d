//! Verdicts, prompts and broken files, on the small set of our own.

use std::path::{Path, PathBuf};

use toolrl_bfcl::rows::{Row, prompt_hash};
use toolrl_bfcl::{Benchmark, BfclError, Category, PromptFile, Sources};
use toolrl_grammar::json;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bfcl_v3")
}

fn benchmark() -> Benchmark {
    Benchmark::load(&Sources::new(folder()), &Category::single_turn()).expect("the fixture loads")
}

#[test]
fn verdicts_name_what_is_wrong() {
    // The official scorer's verdicts, by the case's id and the decoded calls.
    let cases = [
        ("simple_0", r#"[{"kitchen.boil": {"litres": 1.5, "tea": "OOLONG!"}}]"#, "value_error:string"),
        ("simple_0", r#"[{"kitchen.boil": {"litres": 1.5, "tea": "Oo-long, "}}]"#, "valid"),
        ("simple_0", r#"[{"kitchen.boil": {"litres": 1, "tea": "oolong"}}]"#, "value_error:others"),
        ("simple_0", r#"[{"kitchen.boil": {"litres": "1.5", "tea": "oolong"}}]"#, "type_error:simple"),
        ("simple_0", r#"[{"kitchen.boil": {"tea": "oolong"}}]"#, "simple_function_checker:missing_required"),
        ("simple_0", r#"[{"kitchen.boil": {"litres": 1.5}}]"#, "simple_function_checker:missing_optional"),
        (
            "simple_0",
            r#"[{"kitchen.boil": {"litres": 1.5, "cup": 1}}]"#,
            "simple_function_checker:unexpected_param",
        ),
        (
            "simple_0",
            r#"[{"kitchen_boil": {"litres": 1.5, "tea": "oolong"}}]"#,
            "simple_function_checker:wrong_func_name",
        ),
        ("simple_0", "[]", "simple_function_checker:wrong_count"),
        ("simple_0", r#"[{"kitchen.boil": []}]"#, "ast_decoder:decoder_wrong_output_format"),
        ("simple_0", "null", "ast_decoder:decoder_wrong_output_format"),
        ("simple_1", r#"[{"garden.plant": {"bed": "b", "size": {"length": 3, "width": 1}}}]"#, "valid"),
        ("simple_1", r#"[{"garden.plant": {"bed": "b", "size": {"length": 3}}}]"#, "value_error:dict_key"),
        (
            "simple_1",
            r#"[{"garden.plant": {"bed": "b", "size": {"length": 3, "width": 2}}}]"#,
            "value_error:dict_value",
        ),
        ("simple_1", r#"[{"garden.plant": {"bed": "b", "size": {}, "rows": [{}]}}]"#, "value_error:dict_key"),
        ("simple_1", r#"[{"garden.plant": {"bed": "b", "rows": [{}]}}]"#, "value_error:list_dict_count"),
        ("multiple_0", r#"[{"ferry_times": {"line": "Harbour", "after": "9:00", "limit": 2}}]"#, "valid"),
        ("multiple_0", r#"[{"count_owls": {"date": "x"}}]"#, "simple_function_checker:wrong_func_name"),
        ("multiple_0", "[]", "multiple_function_checker:wrong_count"),
        (
            "parallel_0",
            r#"[{"count_owls": {"date": "2024-05-02", "site": "elm wood"}},
            {"count_owls": {"date": "2024 05 01", "site": "Elm Wood"}}]"#,
            "valid",
        ),
        ("parallel_0", r#"[{"count_owls": {}}]"#, "parallel_function_checker_no_order:wrong_count"),
        (
            "parallel_0",
            r#"[{"count_owls": {}}, {"count_owls": {}}]"#,
            "parallel_function_checker_no_order:cannot_find_match",
        ),
        (
            "parallel_multiple_0",
            r#"[{"ferry_times": {"line": "north", "stops": ["mull", "iona"]}},
            {"kitchen.boil": {"litres": 2}}]"#,
            "valid",
        ),
        (
            "parallel_multiple_0",
            r#"[{"ferry_times": {"line": "north", "stops": ["iona", "mull"]}},
            {"kitchen.boil": {"litres": 2}}]"#,
            "parallel_function_checker_no_order:cannot_find_match",
        ),
        (
            "java_0",
            r#"[{"ShelfPlanner.arrange": {"shelf": "oakShelf", "strict": "true", "budget": "60L",
            "titles": "new ArrayList<String>(Arrays.asList(\"Emma\", \"Kim\"))", "slots": "new int[]{3, 5}",
            "heights": "new HashMap<String, Integer>() {{ put(\"Emma\", 180); put(\"Kim\", 175); }}"}}]"#,
            "valid",
        ),
        ("java_0", r#"[{"ShelfPlanner.arrange": {"shelf": "oakShelf", "strict": true}}]"#, "type_error:java"),
        (
            "java_0",
            r#"[{"ShelfPlanner.arrange": {"shelf": "oakShelf", "budget": "60"}}]"#,
            "type_error:simple",
        ),
        (
            "java_0",
            r#"[{"ShelfPlanner.arrange": {"shelf": "oakShelf", "slots": "new int[]{3, x}"}}]"#,
            "value_error:list/tuple",
        ),
        (
            "javascript_0",
            r#"[{"drawChart": {"element": "panel", "series": "[1.5, 2]", "title": "'Rain'",
            "options": "{title: 'Rain', width: 300}"}}]"#,
            "valid",
        ),
        ("javascript_0", r#"[{"drawChart": {"element": "panel", "series": [1.5, 2]}}]"#, "type_error:js"),
        (
            "javascript_0",
            r#"[{"drawChart": {"element": "panel", "series": "[2, 1.5]"}}]"#,
            "value_error:list/tuple",
        ),
        (
            "javascript_0",
            r#"[{"drawChart": {"element": "panel", "series": "[1.5, x]"}}]"#,
            "type_error:nested",
        ),
        ("irrelevance_0", "[]", "valid"),
        ("irrelevance_0", r#"[{"f": {}}]"#, "irrelevance_error:decoder_success"),
        ("live_relevance_0-0-0", r#"[{"f": {}}]"#, "valid"),
        ("live_relevance_0-0-0", r#"[{"f": null}]"#, "relevance_error:decoder_failed"),
    ];
    let benchmark = benchmark();
    for (id, output, expected) in cases {
        let row = format!("{{\"id\": \"{id}\", \"output\": {output}}}").replace('\n', " ");
        let line = Row::parse(&row).unwrap().verdict(&benchmark).unwrap();
        let expected = match expected {
            "valid" => format!("{{\"id\": \"{id}\", \"valid\": true, \"error_type\": null}}"),
            error => format!("{{\"id\": \"{id}\", \"valid\": false, \"error_type\": \"{error}\"}}"),
        };
        assert_eq!(line.to_string(), expected, "{output}");
    }
}

#[test]
fn names_may_have_underscores_for_dots() {
    let row = r#"{"id": "live_simple_0-0-0", "u2d": true, "output": [{"kitchen_boil": {"litres": 1}}]}"#;
    let line = Row::parse(row).unwrap().verdict(&benchmark()).unwrap();
    assert_eq!(line.get("valid").unwrap().to_string(), "true");
}

#[test]
fn prompts_are_our_own() {
    let benchmark = benchmark();
    let prompts = PromptFile::builtin().unwrap();
    let prompt = prompts.first_turn(benchmark.case("live_multiple_0-0-0").unwrap());
    for part in ["2. Name: ferry_times\n", "in Python 3 syntax.", "\"enum\"", "You help at the quay"] {
        let expected = !matches!(part, "\"enum\"" | "You help at the quay");
        assert_eq!(prompt.system.contains(part), expected, "{part}\n{}", prompt.system);
    }
    assert!(prompt.user.contains("<user> next 3 boats south line\n") && prompt.user.ends_with("</user>"));
    let java = prompts.first_turn(benchmark.case("java_0").unwrap()).system;
    let titles =
        r#""titles": {"type": "string", "description": "The titles in order. This is Java ArrayList type"#;
    assert!(java.contains(titles) && !java.contains("\"items\""), "{java}");
    let text = prompts.first_turn(benchmark.case("simple_0").unwrap()).chatml();
    let hash = prompt_hash(("simple", "simple_0"), &text);
    assert_eq!(hash.get("sha256").and_then(json::Value::len), Some(64));
}

#[test]
fn broken_files_are_named_with_their_line() {
    let good = r#"{"id": "simple_0", "question": [[]], "function": []}"#;
    let cases: [(&str, &str, &str); 6] = [
        ("{", "", "line 1: not JSON"),
        (
            good,
            "",
            "possible_answer/BFCL_v3_simple.json: line 1: the answer is that of \"\", the case that of \"simple_0\"",
        ),
        (good, r#"{"id": "simple_1"}"#, "line 1: the answer is that of \"simple_1\""),
        (r#"{"question": []}"#, "", "line 1: field `id`: expected a string, found nothing"),
        (
            good,
            "{\"id\": \"simple_0\", \"ground_truth\": []}",
            "field `ground_truth`: expected at least one call",
        ),
        (
            good,
            "\n{\"id\": \"simple_0\", \"ground_truth\": [{\"f\": {}}]}",
            "line 2: field `ground_truth`: expected a function",
        ),
    ];
    for (questions, answers, expected) in cases {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("possible_answer")).unwrap();
        std::fs::write(data.path().join("BFCL_v3_simple.json"), questions).unwrap();
        std::fs::write(data.path().join("possible_answer/BFCL_v3_simple.json"), answers).unwrap();
        let error = Benchmark::load(&Sources::new(data.path()), &[Category::Simple]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let missing = Benchmark::load(&Sources::new("/nowhere"), &[Category::Simple]).unwrap_err();
    assert!(
        matches!(missing, BfclError::Missing { .. }) && missing.to_string().contains("bfcl-eval"),
        "{missing}"
    );
}

#[test]
fn rows_that_are_no_rows_are_refused() {
    let benchmark = benchmark();
    let cases = [
        ("", "not a row of JSON"),
        ("[]", "field \"row\": expected an object, found list"),
        ("{}", "expected `output`, `raw` or `turns`, found nothing"),
        (r#"{"raw": 1}"#, "field \"raw\": expected a string, found 1"),
        (r#"{"output": [], "id": 3}"#, "field \"id\": expected a string, found 3"),
        (r#"{"output": [], "id": "simple_9"}"#, "no case \"simple_9\" among the 14 that were loaded"),
        (r#"{"turns": []}"#, "field \"turns\": expected a row of one turn, found list"),
    ];
    for (line, expected) in cases {
        let error = Row::parse(line).and_then(|row| row.verdict(&benchmark)).unwrap_err().to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
}
