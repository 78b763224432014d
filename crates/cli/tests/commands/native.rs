//! A model in its own words: data as OpenAI has it, calls as the model's template writes them.

use std::path::Path;

use serde_json::{Value, json};

use crate::{copy_policy, file, json_lines_of, toolrl, train};

/// ChatML with tools whose calls stand in `<tool_call>` blocks.
const HERMES: &str = include_str!("../../../chat/src/chatml.jinja");

fn tools() -> Value {
    json!([{"type": "function", "function": {
        "name": "weather",
        "description": "Tell the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    }}])
}

/// Twelve dialogues: a call, an answer to its result, and a task without a call.
fn rows() -> String {
    let row = |n: usize| {
        let arguments = json!({"city": format!("City {n}"), "days": n}).to_string();
        let call =
            json!([{"id": "a", "type": "function", "function": {"name": "weather", "arguments": arguments}}]);
        let asked = json!({"role": "user", "content": format!("The weather in City {n} for {n} days?")});
        let called = json!({"role": "assistant", "content": null, "tool_calls": call});
        let told = json!({"role": "tool", "tool_call_id": "a", "content": "sunny"});
        let answered = json!({"role": "assistant", "content": "It is sunny."});
        let messages = match n % 3 {
            0 => vec![asked, called],
            1 => vec![asked, called, told, answered],
            _ => vec![
                json!({"role": "user", "content": "Thanks!"}),
                json!({"role": "assistant", "content": "Gladly."}),
            ],
        };
        json!({"messages": messages, "tools": tools()})
    };
    (0..12).map(|n| format!("{}\n", row(n))).collect()
}

/// The quickstart's policy with this template.
fn policy(dir: &Path, name: &str, template: &str) -> String {
    let policy = copy_policy(dir, name, &[]);
    file(Path::new(&policy), "chat_template.jinja", template);
    policy
}

const SHORT: [&str; 6] = [
    "train.steps=2",
    "train.optimizer.lr=1e-3",
    "eval.max_new_tokens=8",
    "eval.limit=3",
    "seed=1",
    "slots=8",
];

/// A file to evaluate on is read by the settings that the recipe has for its own.
#[test]
fn a_file_of_dialogues_is_evaluated_on_as_the_recipe_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let of = policy(dir.path(), "hermes", HERMES);
    file(dir.path(), "rows.jsonl", rows());
    for (turns, tasks) in [("each", 16), ("last", 12)] {
        let set = format!("data.files.turns={turns}");
        let read = ["eval", "--policy", &of, "--recipe", "sft", "--data", "rows.jsonl", "--set", &set];
        toolrl(dir.path(), &[&read[..], &["--out", turns, "--set", "eval.max_new_tokens=1"]].concat()).ok();
        let report = std::fs::read_to_string(dir.path().join(turns).join("eval.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["tasks"], tasks, "{turns}");
    }
}

#[test]
fn a_model_is_trained_in_its_own_words_without_a_setting() {
    let dir = tempfile::tempdir().unwrap();
    let (policy, data) = (policy(dir.path(), "model", HERMES), file(dir.path(), "openai.jsonl", rows()));
    let args = ["--policy", &policy, "--data", &data];
    let dry = train(dir.path(), &[&["sft", "--dry-run"], &args[..]].concat(), &[]);
    assert!(dry.stderr.contains("template writes a call as") && dry.ok().contains("dialect = \"hermes\""));
    let sft = train(
        dir.path(),
        &[&["sft", "--run-dir", "sft"], &args[..]].concat(),
        &[&SHORT[..], &["train.batch=4"]].concat(),
    );
    assert!(sft.stderr.contains("dialect hermes"), "{}", sft.stderr);
    sft.ok();
    let config = std::fs::read_to_string(dir.path().join("sft/config.toml")).unwrap();
    assert!(config.contains("dialect = \"hermes\""), "{config}");

    let own = [&SHORT[..], &["train.prompts=2", "train.group_size=2", "sampling.max_new_tokens=8"]].concat();
    let from = ["--policy", "sft/final", "--data", &data];
    train(dir.path(), &[&["grpo", "--run-dir", "grpo"], &from[..]].concat(), &own).ok();
    let outcomes = toolrl(dir.path(), &["eval", "--run", "grpo", "--out", "out"]).ok();
    assert!(outcomes.contains("one_call") || outcomes.contains("no_call"), "{outcomes}");
    for row in json_lines_of(dir.path().join("out/outcomes.jsonl")) {
        let gold = row["gold"].as_str().unwrap();
        let calls = row["kind"] == "one_call";
        assert_eq!(
            gold.starts_with("<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": "),
            calls,
            "{gold}"
        );
        assert!(!gold.contains("<response>") && !gold.contains("<think>"), "{gold}");
    }
    let explained =
        toolrl(dir.path(), &["reward", "explain", "--rows", "grpo", "--recipe", "grpo/config.toml"]).ok();
    assert!(!explained.contains("error"), "{explained}");
    // The same from where it was cut off.
    std::fs::remove_file(dir.path().join("grpo/summary.json")).unwrap();
    toolrl(dir.path(), &["train", "--resume", "grpo"]).ok();
}

#[test]
fn the_dialect_of_a_directory_is_told_with_what_its_template_renders() {
    let dir = tempfile::tempdir().unwrap();
    let hermes = policy(dir.path(), "hermes", HERMES);
    let found = toolrl(dir.path(), &["calls", "detect", "--policy", &hermes]).rows();
    assert_eq!((&found[0]["dialect"], &found[0]["shows_tools"]), (&"hermes".into(), &true.into()));
    assert!(
        found[0]["rendered"].as_str().unwrap().contains("\"arguments\": {\"city\": \"Rome\""),
        "{}",
        found[0]
    );
    let none = policy(dir.path(), "none", "{% for m in messages %}{{ m.content }}{% endfor %}");
    let message = toolrl(dir.path(), &["calls", "detect", "--policy", &none]).error();
    assert!(message.contains("no dialect that is known") && message.contains("hermes"), "{message}");
}

#[test]
fn a_template_that_shows_no_tools_is_refused_or_has_them_told() {
    let dir = tempfile::tempdir().unwrap();
    let plain = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let (policy, data) = (policy(dir.path(), "model", plain), file(dir.path(), "openai.jsonl", rows()));
    let args = ["sft", "--policy", &policy, "--data", &data, "--run-dir", "run"];
    let set = [&SHORT[..], &["train.batch=4"]].concat();
    let message = train(dir.path(), &args, &set).error();
    assert!(message.contains("does not show tools") && message.contains("prompt"), "{message}");
    let told = [&set[..], &["prompt=toolrl", "dialect=hermes"]].concat();
    train(dir.path(), &args, &told).ok();
    // Our own template is saved with the policy, which then needs no setting.
    let ours = ["sft", "--policy", &policy, "--data", &data, "--run-dir", "chatml"];
    train(dir.path(), &ours, &[&set[..], &["prompt=chatml"]].concat()).ok();
    let found = toolrl(dir.path(), &["calls", "detect", "--policy", "chatml/final"]).rows();
    assert_eq!((&found[0]["dialect"], &found[0]["shows_tools"]), (&"hermes".into(), &true.into()));
    train(dir.path(), &["sft", "--policy", "chatml/final", "--data", &data, "--run-dir", "next"], &set).ok();
    let own = file(dir.path(), "own.jinja", HERMES.replace("You can call tools", "Tools may be called"));
    let prompt = format!("prompt={own}");
    let args_of_own = ["sft", "--policy", &policy, "--data", &data, "--run-dir", "own"];
    train(dir.path(), &args_of_own, &[&set[..], &[prompt.as_str()]].concat()).ok();
    let saved = std::fs::read_to_string(dir.path().join("own/final/chat_template.jinja")).unwrap();
    assert!(saved.contains("Tools may be called"), "{saved}");
    let args = ["sft", "--policy", &policy, "--data", &data, "--run-dir", "other"];
    let message = train(dir.path(), &args, &[&set[..], &["dialect=hermez"]].concat()).error();
    assert!(message.contains("hermez") && message.contains("hermes"), "{message}");
}

#[test]
fn chats_without_tools_are_learnt_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let row = |n: usize| json!({"messages": [{"role": "user", "content": format!("Say {n}.")}, {"role": "assistant", "content": format!("{n}")}]});
    let rows: String = (0..12).map(|n| format!("{}\n", row(n))).collect();
    let data = file(dir.path(), "chats.jsonl", rows);
    let policy = copy_policy(dir.path(), "model", &[]);
    let args = ["sft", "--policy", &policy, "--data", &data, "--run-dir", "run"];
    train(dir.path(), &args, &[&SHORT[..], &["train.batch=4"]].concat()).ok();
    toolrl(dir.path(), &["eval", "--run", "run", "--out", "out"]).ok();
    for row in json_lines_of(dir.path().join("out/outcomes.jsonl")) {
        assert!(row["gold"].as_str().unwrap().parse::<usize>().is_ok(), "{row}");
    }
}
