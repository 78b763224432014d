//! `toolrl data`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{POLICY, file, toolrl};

/// A file of our own in one of the forms that datasets are published in.
fn fixture(name: &str) -> String {
    format!("{}/../../fixtures/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Builds the mix of the fixtures in `dir/NAME`, and returns the report that was printed.
fn mix(dir: &std::path::Path, name: &str, more: &[&str]) -> Value {
    let (toolace, xlam) = (fixture("toolace.json"), fixture("xlam.jsonl"));
    let (toolace, xlam) = (format!("{toolace}:4"), format!("{xlam}:6"));
    let hammer = fixture("xlam.jsonl");
    let build = ["data", "build", "--toolace", &toolace, "--xlam", &xlam, "--hammer", &hammer, "--json"];
    let out = toolrl(dir, &[&build[..], &["--out", name], more].concat()).ok();
    serde_json::from_str(&out).unwrap()
}

fn read(dir: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn a_build_accounts_for_every_row_and_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let report = mix(dir, "one", &[]);
    assert_eq!(report["samples"], 18);
    let source = |index: usize, key: &str| report["sources"][index][key].clone();
    assert_eq!((source(0, "taken"), source(1, "taken"), source(2, "taken")), (json!(4), json!(6), json!(8)));
    assert_eq!((source(2, "asked"), source(2, "used")), (json!(1000), json!(6)));
    for source in report["sources"].as_array().unwrap() {
        let count = |key: &str| source[key].as_u64().unwrap();
        let parts = ["replies_refused", "duplicates", "used", "taken", "left_over"];
        assert_eq!(parts.map(count).iter().sum::<u64>(), count("replies"), "{source}");
    }
    assert_eq!(serde_json::from_str::<Value>(&read(dir, "one/report.json")).unwrap(), report);
    assert_eq!(read(dir, "one/train.jsonl").lines().count(), 18);

    toolrl(dir, &["data", "build", "one/recipe.toml", "--out", "again"]).ok();
    assert!(!dir.join("one/eval.jsonl").exists());
    for name in ["train.jsonl", "train.parquet", "recipe.toml"] {
        let [first, again] = ["one", "again"].map(|of| std::fs::read(dir.join(of).join(name)).unwrap());
        assert!(first == again, "{name} differs");
    }
    assert_ne!(mix(dir, "other", &["--seed", "2"]), report);
    assert_ne!(read(dir, "one/train.jsonl"), read(dir, "other/train.jsonl"));
}

#[test]
fn the_table_says_what_is_missing_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let toolace = fixture("toolace.json");
    let text = toolrl(dir.path(), &["data", "build", "--toolace", &toolace, "--out", "mix"]).ok();
    let parts = [
        "8 samples, seed 1",
        "2000 samples were asked for and",
        "toolace.json has 8.",
        "toolace: 2 rows: no list of tools can be read",
        "row 7, reply 1: expected a Python literal",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn what_was_built_is_evaluated_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let report = mix(dir, "mix", &["--hold-out", "4"]);
    let counts = ["samples", "held_out"].map(|key| report[key].as_u64().unwrap());
    assert!(counts[0] + counts[1] == 18 && counts[1] >= 4, "{counts:?}");
    for name in ["mix/train.parquet", "mix/train.jsonl", "mix/eval.parquet", "mix/eval.jsonl"] {
        let limits = ["--limit", "2", "--set", "eval.max_new_tokens=8"];
        let table = toolrl(dir, &[&["eval", "--policy", POLICY, "--data", name], &limits[..]].concat()).ok();
        assert!(table.contains("all"), "{table}");
    }
}

#[test]
fn inspection_tells_kinds_lengths_duplicates_and_bad_gold_replies() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let call = "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
    let row = |input: &str, gold: &str| {
        json!({"instruction": "1. f: g", "input": input, "output": gold}).to_string()
    };
    let rows = [
        row("<user> x </user>", call),
        row("<user> x </user>", call),
        row("<user> x </user>", "<think> a </think>\n<response> b </response>"),
        String::new(),
        row("<user> x </user>\n<obs> 1 </obs>", &call.replace("> a <", "> use <tool_call> <")),
        row("<user> y </user>", &call.replace("parameters", "arguments")),
    ];
    let path = file(dir, "own.jsonl", rows.join("\n"));
    let found: Value =
        serde_json::from_str(&toolrl(dir, &["data", "inspect", &path, "--json", "--policy", POLICY]).ok())
            .unwrap();
    assert_eq!(found["samples"], 5);
    assert_eq!(found["by_kind"], json!({"one_call": 4, "no_call": 1}));
    assert_eq!(found["parts"], json!({"calls": 4, "response": 1, "both": 0, "neither": 0}));
    assert_eq!((&found["with_history"], &found["with_observations"]), (&json!(1), &json!(1)));
    assert_eq!(found["prompt_chars"]["max"], 38);
    assert_eq!(found["tools"]["max"], 1);
    assert!(found["prompt_tokens"]["min"].as_u64().unwrap() > 5);
    assert!(found["gold_tokens"]["min"].as_u64().unwrap() > 5);
    let repeats = json!([{"at": "line 2", "first": "line 1"}, {"at": "line 3", "first": "line 1"}]);
    assert_eq!(found["same_prompt"], repeats);
    assert_eq!(found["same_prompt_and_gold"], json!([repeats[0]]));
    let unscorable = found["unscorable"].as_array().unwrap();
    let causes: Vec<_> = unscorable.iter().map(|group| (&group["cause"], &group["places"])).collect();
    let expected =
        [(json!("tag_in_thoughts"), json!(["line 5"])), (json!("no_parameters"), json!(["line 6"]))];
    assert_eq!(causes, expected.each_ref().map(|(cause, places)| (cause, places)));

    let text = toolrl(dir, &["data", "inspect", &path]).ok();
    for part in ["own.jsonl: 5 samples", "line 2 repeats line 1", "cannot be scored: 2", "line 5", "█"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn nothing_is_written_over_or_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let xlam = fixture("xlam.jsonl");
    let first = ["data", "build", "--xlam", &xlam, "--out", "mix"];
    toolrl(dir, &first).ok();
    let error = toolrl(dir, &first).error();
    assert!(error.contains("mix/train.parquet") && error.contains("--force"), "{error}");
    toolrl(dir, &[&first[..], &["--force"]].concat()).ok();

    let source = format!("[[source]]\nform = \"xlam\"\nfile = {xlam:?}\n");
    let recipes = [
        (format!("sead = 3\n{source}"), "sead"),
        (format!("{source}count = 3\n"), "count"),
        (source.replace("xlam\"\nf", "alpaca\"\nf"), "alpaca"),
        (format!("{source}take = \"most\"\n"), "a number of samples"),
        (format!("irrelevance = 2\n{source}"), "irrelevance"),
        ("seed = 1\n".to_owned(), "at least one source"),
        (source.replace("xlam.jsonl", "gone.jsonl"), "gone.jsonl"),
        (format!("prompt = \"gone.jinja\"\n{source}"), "gone.jinja"),
    ];
    for (recipe, part) in recipes {
        file(dir, "recipe.toml", &recipe);
        let ran = toolrl(dir, &["data", "build", "recipe.toml", "--out", "new"]);
        assert_eq!(ran.stdout, "");
        let error = ran.error();
        assert!(error.contains(part), "{recipe}: {error}: lacks {part}");
    }
    // A file of another form: each row is refused, and the report says why.
    let ran = toolrl(dir, &["data", "build", "--toolace", &xlam, "--out", "new"]);
    assert!(ran.stdout.contains("21 rows: a field is missing"), "{}", ran.stdout);
    assert!(ran.error().contains("no sample to train on was made"));
    assert!(!dir.join("new").exists(), "nothing was begun");
    assert_eq!(toolrl(dir, &["data", "build", "--out", "new"]).code, Some(2), "no source is a usage error");
}

/// Two rows of OpenAI's form with three replies, one of which calls.
fn chats(dir: &Path) -> String {
    let tool = json!({"type": "function", "function": {"name": "light", "description": "Switches.", "parameters":
        {"type": "object", "properties": {"on": {"type": "boolean"}}}}});
    let user = |text: &str| json!({"role": "user", "content": text});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "light", "arguments": "{\"on\": true}"}}]});
    let rows = [
        json!({"messages": [user("Light!"), call, {"role": "tool", "tool_call_id": "a", "content": "done"},
            {"role": "assistant", "content": "It is on."}], "tools": [tool], "score": 1}),
        json!({"messages": [user("Hi"), {"role": "assistant", "content": "Hello."}], "tools": [tool]}),
    ];
    file(dir, "chats.jsonl", rows.map(|row| format!("{row}\n")).concat())
}

#[test]
fn a_dataset_is_written_in_another_form() {
    let dir = &tempfile::tempdir().unwrap();
    let dir = dir.path();
    let chats = chats(dir);
    let inspected = |path: &str| -> Value {
        serde_json::from_str(&toolrl(dir, &["data", "inspect", path, "--json"]).ok()).unwrap()
    };
    let found = inspected(&chats);
    assert_eq!((&found["samples"], &found["reading"]["forms"]), (&json!(3), &json!({"openai": 2})));
    assert_eq!(found["reading"]["passed_over"], json!({"score": 1}));
    assert_eq!((&found["tools"]["max"], &found["with_observations"]), (&json!(1), &json!(1)));
    let kinds = found["by_kind"].clone();
    let forms =
        [("openai", "o.jsonl", "openai"), ("verl", "v.parquet", "verl"), ("toolrl", "t.jsonl", "verl")];
    for (to, out, form) in forms {
        let args = ["data", "convert", &chats, "--to", to, "--out", out];
        assert_eq!(toolrl(dir, &args).ok(), format!("{out}: 3 samples of 3\n"));
        let again = inspected(out);
        assert_eq!((&again["by_kind"], &again["reading"]["forms"]), (&kinds, &json!({form: 3})), "{to}");
        assert!(toolrl(dir, &args).error().contains("--force"), "{to}");
    }
    let prompt = ["data", "convert", &chats, "--to", "verl", "--prompt", "p.jinja", "--out", "p.jsonl"];
    assert!(toolrl(dir, &prompt).error().contains("--prompt is the template of --to toolrl"));
    let last = ["data", "convert", &chats, "--to", "openai", "--turns", "last", "--out", "l.jsonl"];
    assert_eq!(toolrl(dir, &last).ok(), "l.jsonl: 2 samples of 2\n");
    let table = ["data", "convert", &chats, "--to", "openai", "--out", "o.parquet"];
    assert!(toolrl(dir, &table).error().contains("JSON lines"));
}

#[test]
fn inspection_tells_every_row_that_cannot_be_read() {
    let dir = &tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut rows = std::fs::read_to_string(chats(dir)).unwrap();
    rows += "{\"messages\": \"none\"}\n{\"text\": \"a\"}\n";
    let path = file(dir, "odd.jsonl", rows);
    let ran = toolrl(dir, &["data", "inspect", &path]);
    assert!(
        ran.stdout.contains("line 3: field `messages`") && ran.stdout.contains("openai lacks `messages`"),
        "{}",
        ran.stdout
    );
    assert!(ran.error().contains("2 rows cannot be read"));
    let convert = ["data", "convert", &path, "--to", "verl", "--out", "v.jsonl"];
    assert!(toolrl(dir, &convert).error().contains("line 3"));
    assert_eq!(toolrl(dir, &[&convert[..], &["--leave-out"]].concat()).ok(), "v.jsonl: 3 samples of 3\n");
}
