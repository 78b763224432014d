//! Prompts and the end of replies: what a model directory's files say reaches every command.

use std::path::Path;

use serde_json::{Value, json};

use crate::{copy_policy, file, toolrl, train};

/// A copy of the policy with these files.
fn policy(dir: &Path, name: &str, files: &[(&str, &str)]) -> String {
    let policy = copy_policy(dir, name, &[]);
    for (name, text) in files {
        let path = Path::new(&policy).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    policy
}

/// The replies to a row, with further arguments.
fn replies(dir: &Path, policy: &str, row: &Value, more: &[&str]) -> Vec<Value> {
    let rows = file(dir, "rows.jsonl", row.to_string());
    let args = ["policy", "generate", "--policy", policy, "--rows", &rows, "--max-new-tokens", "40"];
    toolrl(dir, &[&args[..], more].concat()).rows()
}

fn config(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let text = std::fs::read(Path::new(crate::POLICY).join(name)).unwrap();
    let mut config = serde_json::from_slice(&text).unwrap();
    change(&mut config);
    config.to_string()
}

#[test]
fn tools_variables_and_the_date_reach_the_template() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let turn = "{{ messages[0].content }}<|im_end|>\n<|im_start|>assistant\n";
    let whole = format!("<|im_start|>user\n{turn}");
    let tools = format!("<|im_start|>user\n{{{{ tools[0].function.name }}}} {turn}");
    let told = format!("<|im_start|>user\n{{{{ strftime_now('%d %b %Y') }}}} {{{{ mood }}}} {turn}");
    let by_tools = policy(
        dir,
        "tools",
        &[("chat_template.jinja", &whole), ("additional_chat_templates/tool_use.jinja", &tools)],
    );
    let by_date = policy(dir, "date", &[("chat_template.jinja", &told)]);
    let asked = |text: &str| json!({"messages": [{"role": "user", "content": text}]});
    let mut with_tools = asked("hi");
    with_tools["tools"] = json!([{"type": "function", "function": {"name": "clock", "parameters": {}}}]);
    assert_eq!(replies(dir, &by_tools, &with_tools, &[]), replies(dir, &by_tools, &asked("clock hi"), &[]));
    let fixed = ["--template-date", "2024-07-26", "--template-var", "mood=glad"];
    let expected = replies(dir, &by_tools, &asked("26 Jul 2024 glad hi"), &[]);
    assert_eq!(replies(dir, &by_date, &asked("hi"), &fixed), expected);
    let wrong = ["eval", "--policy", &by_date, "--template-var", "tools=1", "--limit", "1"];
    assert!(toolrl(dir, &wrong).error().contains("no variable of a template can be named tools"));
}

/// The template's end is taught and stops; the configuration's first id, another one, stops too.
#[test]
fn replies_end_as_the_template_ends_a_turn() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let kept = json!({"eos_token_id": [0, 2], "top_k": 7, "repetition_penalty": 1.05, "pad_token_id": 0});
    let row =
        json!({"instruction": "S", "input": "go", "output": "<think> a </think>\n<response> ok </response>"});
    let data = file(dir, "data.jsonl", format!("{row}\n").repeat(12));
    let settings = ["train.steps=40", "train.batch=4", "train.optimizer.lr=0.005", "eval.limit=1"];
    for (name, written, saved) in [
        ("both", kept.clone(), kept),
        ("other", json!({"eos_token_id": 0, "top_p": 0.9}), json!({"eos_token_id": [2, 0], "top_p": 0.9})),
    ] {
        let stops = config("config.json", |config| config["eos_token_id"] = json!(0));
        let files = [("generation_config.json", written.to_string()), ("config.json", stops)];
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let policy = policy(dir, name, &files);
        let run = format!("run-{name}");
        let args = ["sft", "--policy", &policy, "--data", &data, "--run-dir", &run];
        train(dir, &args, &[&settings[..], &["eval.max_new_tokens=40"]].concat()).ok();
        let path = dir.join(&run).join("final");
        let found: Value =
            serde_json::from_slice(&std::fs::read(path.join("generation_config.json")).unwrap()).unwrap();
        assert_eq!(found, saved);
        let asked =
            json!({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "go"}]});
        let reply = replies(dir, path.to_str().unwrap(), &asked, &[]).remove(0);
        assert_eq!(reply["output_ids"].as_array().unwrap().last(), Some(&json!(2)), "{reply}");
    }
}

#[test]
fn a_policy_whose_replies_never_end_is_refused_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let none = |config: &mut Value| {
        config.as_object_mut().unwrap().remove("eos_token_id");
    };
    let words = config("tokenizer_config.json", |config| {
        config["eos_token"] = json!(null);
        config["chat_template"] = json!("{% for m in messages %}{{ m.content }}\n{% endfor %}");
    });
    let files = [
        ("generation_config.json", config("generation_config.json", none)),
        ("config.json", config("config.json", none)),
        ("tokenizer_config.json", words),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let policy = policy(dir, "endless", &files);
    let rows = file(dir, "rows.jsonl", r#"{"messages": [{"role": "user", "content": "hi"}]}"#);
    for args in [
        &["policy", "generate", "--policy", &policy, "--rows", &rows, "--max-new-tokens", "2"][..],
        &["eval", "--policy", &policy, "--limit", "1"],
        &["train", "quickstart-sft", "--policy", &policy, "--run-dir", "run", "--set", "data.world.train=8"],
    ] {
        let error = toolrl(dir, args).error();
        assert!(error.contains("nothing says which token ends a reply"), "{error}");
    }
}
