//! `toolrl reward explain --html`, `diff`, `fuzz` and `forecast`.

use serde_json::{Value, json};

use crate::{TINY_GRPO, file, toolrl, train};

const CALL: &str =
    "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": 2}}\n</tool_call>";
const ANSWER: &str = "<think> a </think>\n<response> b </response>";

/// Four replies to one prompt: right, a value wrong, the parameters in another order and a value wrong, nothing.
fn rows() -> String {
    let reordered = CALL.replace("\"x\": 1, \"y\": 2", "\"y\": 2, \"x\": 3");
    let replies = [CALL.to_owned(), CALL.replace("2}", "3}"), reordered, "nothing".to_owned()];
    replies
        .iter()
        .map(|reply| json!({"solution_str": reply, "ground_truth": CALL}).to_string() + "\n")
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn explanations_take_any_reward_and_either_form_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let released = &file(dir, "rows.jsonl", rows());
    let recorded = json!({"completion": CALL, "gold": CALL, "prompt_index": 0, "step": 1, "member": 0});
    let recorded = &file(dir, "completions.jsonl", format!("{recorded}\n"));
    file(dir, "terms.toml", "[[reward]]\nid = \"correctness\"\ngranularity = \"coarse\"\nweight = 2.0\n");
    let explain = |more: &[&str]| toolrl(dir, &[&["reward", "explain"], more].concat()).ok();
    let cases: [(&[&str], &str); 6] = [
        (&["--rows", released], "row 2\ntotal 2.500\n"),
        (&["--rows", released, "--recipe", "released:COARSEREWARD"], "row 2\ntotal -2.000\n"),
        (
            &["--rows", released, "--recipe", "terms.toml"],
            "row 2\ntotal -6.000\ncorrectness -3.000 of [-3, 3], weight 2",
        ),
        (
            &["--rows", released, "--terms", "format*0 + correctness:granularity=strict"],
            "row 3\ntotal 0.000\n",
        ),
        (&["--rows", released, "--recipe", "grpo"], "row 1\ntotal 4.000\n"),
        (&["--rows", recorded, "--recipe", "grpo"], "row 1\ntotal 4.000\n"),
    ];
    for (args, part) in cases {
        let text = explain(args);
        assert!(text.contains(part), "{args:?}: {part:?} is not in:\n{text}");
    }
    let said = explain(&["--rows", released, "--html", "page.html", "--limit", "3"]);
    assert_eq!(said, "3 rows on page.html\n");
    let page = std::fs::read_to_string(dir.join("page.html")).unwrap();
    assert_eq!(page.matches("<article").count(), 3);
    assert!(page.contains("class=\"value lost\"") && page.ends_with("</html>\n"));
}

#[test]
fn two_rewards_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let rows = &file(dir, "rows.jsonl", rows());
    let strict = "terms:format + correctness:granularity=strict";
    let diff = |more: &[&str]| {
        toolrl(dir, &[&["reward", "diff", "released", strict, "--rows", rows], more].concat()).ok()
    };
    let report = json(&diff(&["--json"]));
    assert_eq!(
        (report["rows"].as_u64(), report["groups"].as_u64(), report["differing"].as_u64()),
        (Some(4), Some(1), Some(1))
    );
    // Strict granularity takes a point for the order, which costs a tie: 2 and 3 have one wrong value each.
    assert_eq!(report["pairs"]["ties_broken_by_b"], 1);
    assert_eq!(report["pairs"]["concordant"], 5);
    assert_eq!(report["greatest"][0]["row"], 3);
    assert_eq!(report["greatest"][0]["terms"], json!([["correctness", 1.5, 0.0]]));
    let text = diff(&[]);
    assert!(
        text.contains("order differs in 1 of 1 groups") && text.contains("row 3: A 2.500, B 1.000"),
        "{text}"
    );
    let same = toolrl(dir, &["reward", "diff", "grpo", "quickstart", "--rows", rows, "--json"]).ok();
    assert_eq!(json(&same)["differing"], 0);
}

#[test]
fn fuzzing_is_seeded_and_strict_only_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fuzz = |more: &[&str]| toolrl(dir, &[&["reward", "fuzz", "--cases", "400"], more].concat());
    let text = fuzz(&["--strict"]).ok();
    assert!(text.starts_with("400 cases from "), "{text}");
    assert_eq!(fuzz(&["--strict"]).ok(), text);
    let strict = ["--terms", "correctness:granularity=strict"];
    let report = json(&fuzz(&[&strict[..], &["--json", "--seed", "3"]].concat()).ok());
    let of = |name: &str| {
        report["properties"].as_array().unwrap().iter().find(|p| p["property"] == name).unwrap().clone()
    };
    assert!(of("equivalent")["failures"].as_u64().unwrap() > 0 && of("exact_is_best")["failures"] == 0);
    assert!(of("equivalent")["counter_examples"][0]["gold"].as_str().unwrap().contains("<tool_call>"));
    let failed = fuzz(&[&strict[..], &["--strict"]].concat());
    assert!(failed.stdout.contains("equivalent: another way"));
    assert!(failed.error().contains("1 of 6 promises are broken"));
    let rows = &file(dir, "rows.jsonl", rows());
    assert!(fuzz(&["--rows", rows]).ok().starts_with("400 cases from 1 gold replies"));
    let data = json!({"instruction": "a", "input": "b", "output": ANSWER});
    let data = &file(dir, "data.jsonl", format!("{data}\n"));
    assert!(fuzz(&["--data", data]).ok().starts_with("400 cases from 1 gold replies"));
}

#[test]
fn a_forecast_is_made_of_rows_and_of_a_finished_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let rows = &file(dir, "rows.jsonl", rows());
    let report = json(&toolrl(dir, &["reward", "forecast", "--rows", rows, "--json"]).ok());
    assert_eq!((report["rows"].as_u64(), report["groups"].as_u64()), (Some(4), Some(1)));
    let terms = report["terms"].as_array().unwrap();
    let sum: f64 =
        terms.iter().filter(|t| !t["at_ends"].is_null()).map(|t| t["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{report}");

    train(dir, &["--run-dir", "run"], &TINY_GRPO).ok();
    let config = "run/config.toml";
    let of_run = |path: &str| {
        json(&toolrl(dir, &["reward", "forecast", "--rows", path, "--recipe", config, "--json"]).ok())
    };
    let whole = of_run("run");
    assert_eq!((whole["rows"].as_u64(), whole["groups"].as_u64()), (Some(16), Some(4)));
    assert_eq!(whole["group_size"], json!({"min": 4, "mean": 4.0, "max": 4}));
    assert_eq!(of_run("run/completions/step-00001.parquet")["rows"], 8);
    // The rewards are those that the run recorded.
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    let means: Vec<f64> = metrics.lines().map(|l| json(l)["reward"]["mean"].as_f64().unwrap()).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    assert!((whole["reward"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9, "{whole} {means:?}");
    let text = toolrl(dir, &["reward", "forecast", "--rows", "run", "--batch", "2"]).ok();
    assert!(text.contains("replies 16 in 4 groups") && text.contains("group_normalized"), "{text}");
    let page =
        toolrl(dir, &["reward", "explain", "--rows", "run", "--recipe", config, "--html", "p.html"]).ok();
    assert_eq!(page, "16 rows on p.html\n");
}

#[test]
fn bad_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let rows = &file(dir, "rows.jsonl", rows());
    let empty = &file(dir, "empty.jsonl", "");
    let broken = &file(dir, "broken.jsonl", format!("{}{{\"solution_str\": \n", self::rows()));
    let other = &file(dir, "other.jsonl", "{\"text\": 1}\n");
    let unscorable = json!({"solution_str": "a", "ground_truth": "<tool_call> no </tool_call>"});
    let unscorable = &file(dir, "unscorable.jsonl", format!("{unscorable}\n"));
    file(dir, "odd.toml", "rewards = 1\n");
    file(dir, "key.toml", "reward = [{ id = \"format\" }]\nseed = 1\n");
    file(dir, "none.parquet", "PAR1");
    std::fs::create_dir(dir.join("nothing")).unwrap();
    let cases: [(&[&str], &[&str]); 14] = [
        (&["forecast", "--rows", empty], &["no reply could be scored"]),
        (&["forecast", "--rows", unscorable], &["no reply could be scored"]),
        (&["forecast", "--rows", broken], &["broken.jsonl, line 5"]),
        (&["diff", "released", "grpo", "--rows", other], &["other.jsonl, line 1", "the keys text"]),
        (&["diff", "released", "nowhere", "--rows", rows], &["no recipe \"nowhere\""]),
        (&["diff", "released", "released:FINE", "--rows", rows], &["unknown flag \"FINE\""]),
        (
            &["explain", "--rows", rows, "--terms", "formal"],
            &["unknown reward term \"formal\"", "correctness"],
        ),
        (&["explain", "--rows", rows, "--recipe", "odd.toml"], &["odd.toml: neither a recipe"]),
        (&["explain", "--rows", rows, "--recipe", "key.toml"], &["key.toml: unknown key \"seed\""]),
        (&["explain", "--rows", rows, "--recipe", "gone.toml"], &["gone.toml"]),
        (&["explain", "--rows", "none.parquet"], &["none.parquet"]),
        (&["explain", "--rows", "nothing"], &["nothing: no Parquet file"]),
        (&["forecast", "--rows", rows, "--group-by", "task"], &["rows.jsonl, line 1", "\"task\""]),
        (&["fuzz", "--rows", empty], &["no gold reply"]),
    ];
    for (args, parts) in cases {
        let message = toolrl(dir, &[&["reward"], args].concat()).error();
        for part in parts {
            assert!(message.contains(part), "{args:?}: {part:?} is not in {message:?}");
        }
        assert!(!message.contains("panicked"), "{message}");
    }
    let diff = json(&toolrl(dir, &["reward", "diff", "released", "grpo", "--rows", empty, "--json"]).ok());
    assert_eq!((diff["rows"].as_u64(), diff["kendall_tau"].is_null()), (Some(0), true));
}
