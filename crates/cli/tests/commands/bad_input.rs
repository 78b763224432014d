//! Input that is wrong: each gives one clear error that names the place, and no result.

use std::path::Path;

use crate::{POLICY, copy_policy, file, toolrl};

/// Runs a command that must fail, with these parts in its message.
fn check(dir: &Path, args: &[&str], parts: &[&str]) {
    let ran = toolrl(dir, args);
    assert_eq!(ran.stdout, "", "{args:?}");
    let message = ran.error();
    for part in parts {
        assert!(message.contains(part), "{args:?}: {part:?} is not in {message:?}");
    }
    assert!(!message.contains("panicked"), "{args:?}: {message}");
}

#[test]
fn rows() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let broken = &file(dir, "broken.jsonl", "{\"input_ids\": [1]}\n{\"input_ids\": [1,\n");
    let empty = &file(dir, "no_ids.jsonl", "{\"input_ids\": []}\n");
    let outside = &file(dir, "outside.jsonl", "{\"input_ids\": [1, 999999]}\n");
    let text = &file(dir, "text.jsonl", "{\"input_ids\": \"hello\"}\n");
    let neither = &file(dir, "neither.jsonl", "{}\n");
    let generate = |rows| ["policy", "generate", "--policy", POLICY, "--max-new-tokens", "2", "--rows", rows];
    let logprobs = |rows| ["policy", "logprobs", "--policy", POLICY, "--rows", rows];
    check(dir, &["reward", "score", "--rows", "gone.jsonl"], &["gone.jsonl", "No such file"]);
    check(dir, &["reward", "explain", "--rows", text], &["text.jsonl, line 1", "solution_str"]);
    check(dir, &generate("gone.jsonl"), &["gone.jsonl", "No such file"]);
    check(dir, &generate(broken), &["broken.jsonl, line 2"]);
    check(dir, &generate(empty), &["no tokens"]);
    check(dir, &generate(outside), &["999999"]);
    check(dir, &generate(neither), &["neither.jsonl, line 1", "input_ids", "messages"]);
    let short = &file(dir, "short.jsonl", "{\"input_ids\": [1]}\n");
    let long = format!("{{\"input_ids\": {:?}}}\n", vec![1; 5000]);
    let long = &file(dir, "long.jsonl", long);
    let settings = [
        ("--temperature=-1", "temperature -1"),
        ("--top-p=0", "top_p 0"),
        ("--min-p=1.5", "min_p 1.5"),
        ("--stop=", "stop has an empty string"),
        ("--max-new-tokens=0", "max_new_tokens"),
    ];
    for (setting, part) in settings {
        let args = ["policy", "generate", "--policy", POLICY, "--rows", short, setting];
        let limit: &[&str] = if part == "max_new_tokens" { &[] } else { &["--max-new-tokens=1"] };
        check(dir, &[&args, limit].concat(), &[part]);
    }
    check(dir, &generate(long), &["5000 tokens"]);
    check(dir, &logprobs(broken), &["broken.jsonl, line 2"]);
    check(dir, &logprobs(outside), &["outside.jsonl, line 1", "999999"]);
    check(dir, &logprobs(text), &["text.jsonl, line 1", "list of token ids"]);
}

#[test]
fn datasets() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let good = r#"{"instruction": "a", "input": "b", "output": "<think> c </think>"}"#;
    file(dir, "broken.jsonl", format!("{good}\n{{\"instruction\": \n"));
    file(dir, "field.jsonl", format!("{good}\n\n{}\n", good.replace("output", "outputs")));
    file(dir, "empty.jsonl", "\n \n");
    file(dir, "none.json", "[]");
    file(dir, "text.txt", "hello");
    file(dir, "torn.parquet", "PAR1 and nothing more");
    file(dir, "one.jsonl", good);
    let cases = [
        ("gone.jsonl", ["gone.jsonl", "No such file"]),
        ("broken.jsonl", ["broken.jsonl: line 2", "not JSON"]),
        ("field.jsonl", ["field.jsonl: line 3", "output"]),
        ("empty.jsonl", ["empty.jsonl", "no rows"]),
        ("none.json", ["none.json", "no rows"]),
        ("text.txt", ["text.txt", "'h'"]),
        ("torn.parquet", ["torn.parquet", "Parquet"]),
    ];
    for (data, parts) in cases {
        check(dir, &["eval", "--policy", POLICY, "--data", data], &parts);
        check(dir, &["train", "grpo", "--policy", POLICY, "--data", data, "--run-dir", "run"], &parts);
        check(dir, &["train", "sft", "--policy", POLICY, "--data", data, "--run-dir", "run"], &parts);
    }
    check(dir, &["train", "sft", "--policy", POLICY, "--data", "one.jsonl"], &["held-out data"]);
    check(dir, &["eval", "--policy", POLICY, "--limit", "0", "--data", "one.jsonl"], &["no task"]);
    assert!(!dir.join("runs").exists() && !dir.join("run").exists(), "nothing was begun");
}

#[test]
fn recipes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    file(dir, "key.toml", "name = \"a\"\n[train]\nmethod = \"grpo\"\nstepz = 3\n");
    file(dir, "syntax.toml", "name = \"a\"\nseed = = 1\n");
    file(dir, "term.toml", "name = \"a\"\n[train]\nmethod = \"sft\"\n[[reward]]\nid = \"politeness\"\n");
    file(
        dir,
        "setting.toml",
        "name = \"a\"\n[train]\nmethod = \"sft\"\n[[reward]]\nid = \"format\"\ncolour = 1\n",
    );
    let cases: [(&[&str], &[&str]); 12] = [
        (&["quick"], &["quick", "quickstart-sft"]),
        (&["gone.toml"], &["gone.toml", "No such file"]),
        (&["key.toml"], &["key.toml", "stepz"]),
        (&["syntax.toml"], &["syntax.toml", "line 2"]),
        (&["term.toml"], &["politeness"]),
        (&["setting.toml"], &["format", "colour"]),
        (&["--set", "train.stepz=1"], &["stepz", "steps"]),
        (&["--set", "nonsense"], &["nonsense", "key=value"]),
        (&["--set", "name.x=1"], &["name", "not a table"]),
        (&["--set", "train.steps=many"], &["many"]),
        (&["--set", "slots=0"], &["slots", "at least 1"]),
        (&["--set", "train.optimizer.lr=nan"], &["train.optimizer.lr"]),
    ];
    for (args, parts) in cases {
        check(dir, &[&["train"], args].concat(), parts);
    }
    check(dir, &["eval", "elsewhere", "--policy", POLICY], &["elsewhere", "held-out"]);
    assert!(!dir.join("runs").exists(), "nothing was begun");
}

#[test]
fn model_directories() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let config = std::fs::read_to_string(Path::new(POLICY).join("config.json")).unwrap();
    let changed = |name: &str, of: &str, to: &str| {
        assert!(config.contains(of), "{of} is not in {config}");
        let policy = copy_policy(dir, name, &["config.json"]);
        file(Path::new(&policy), "config.json", config.replace(of, to));
        policy
    };
    let json: serde_json::Value = serde_json::from_str(&config).unwrap();
    let layers = json["num_hidden_layers"].as_u64().unwrap();
    let with_layers = |n: u64| format!("\"num_hidden_layers\": {n}");
    let deeper = changed("deeper", &with_layers(layers), &with_layers(layers + 1));
    let shallower = changed("shallower", &with_layers(layers), &with_layers(layers - 1));
    let foreign = changed("foreign", "\"llama\"", "\"gpt2\"");
    let broken = changed("broken", "{", "{{");
    let wordless = copy_policy(dir, "wordless", &["tokenizer.json"]);
    let weightless = copy_policy(dir, "weightless", &["model.safetensors"]);
    let torn = copy_policy(dir, "torn", &["model.safetensors"]);
    let weights = std::fs::read(Path::new(POLICY).join("model.safetensors")).unwrap();
    file(Path::new(&torn), "model.safetensors", &weights[..weights.len() / 2]);

    let cases: [(&str, &[&str]); 8] = [
        ("gone", &["gone", "No such file"]),
        (&deeper, &["deeper", &format!("missing: model.layers.{layers}.")]),
        (&shallower, &["shallower", &format!("unexpected: model.layers.{}.", layers - 1)]),
        (&foreign, &["foreign/config.json", "gpt2", "llama"]),
        (&broken, &["broken/config.json", "line 1"]),
        (&wordless, &["wordless/tokenizer.json"]),
        (&weightless, &["weightless", "model.safetensors"]),
        (&torn, &["torn/model.safetensors", "safetensors"]),
    ];
    for (policy, parts) in cases {
        check(dir, &["eval", "--policy", policy, "--limit", "1", "--set", "data.world.train=8"], parts);
        let few = ["--set", "data.world.train=8", "--set", "data.world.held_out=4"];
        check(dir, &[&["train", "--policy", policy, "--run-dir", "run"][..], &few].concat(), parts);
    }
    assert!(!dir.join("run").exists(), "nothing was begun");
}

#[test]
fn a_command_line_that_is_none_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["tran"][..], &["eval"], &["policy", "generate", "--policy", POLICY]] {
        let ran = toolrl(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}
