//! `toolrl policy`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{POLICY, copy_policy, file, toolrl};

const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

fn generate(dir: &Path, policy: &str, rows: &str, more: &[&str]) -> Vec<Value> {
    let mut args = vec!["policy", "generate", "--policy", policy, "--rows", rows, "--max-new-tokens", "12"];
    args.extend(more);
    toolrl(dir, &args).rows()
}

fn ids(row: &Value) -> Vec<u64> {
    row["output_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

/// Three rows: two conversations and one of token ids.
fn rows(dir: &Path) -> String {
    let asks = ["<user> Switch the light on. </user>", "<user> Hello! </user>"];
    let mut rows: Vec<_> =
        asks.iter().map(|a| json!({"messages": [{"role": "user", "content": a}]})).collect();
    rows.push(json!({"input_ids": [300, 301, 302]}));
    file(dir, "rows.jsonl", rows.iter().map(|row| format!("{row}\n")).collect::<String>())
}

#[test]
fn greedy_replies_are_the_same_every_time_and_in_any_company() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(dir.path());
    let replies = generate(dir.path(), POLICY, &rows, &[]);
    assert_eq!(replies.len(), 3);
    for reply in &replies {
        let (ids, finish) = (ids(reply), reply["finish"].as_str().unwrap());
        assert!((1..=12).contains(&ids.len()), "{reply}");
        assert!(finish == "stop" || (finish == "length" && ids.len() == 12), "{reply}");
        assert!(reply["text"].is_string());
    }
    assert_eq!(generate(dir.path(), POLICY, &rows, &[]), replies);
    assert_eq!(generate(dir.path(), POLICY, &rows, &["--slots", "1", "--seed", "9"]), replies);
}

#[test]
fn sampled_replies_follow_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(dir.path());
    let sample = |seed| generate(dir.path(), POLICY, &rows, &["--temperature", "1.5", "--seed", seed]);
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
}

/// The draws are the same up to the string, whether it is in the text then or not.
#[test]
fn a_reply_ends_at_its_stop_string() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(dir.path());
    let whole = generate(dir.path(), POLICY, &rows, &[]);
    let text = |row: &Value| row["text"].as_str().unwrap().to_owned();
    assert!(text(&whole[0]).starts_with("<think> I need to "), "{}", whole[0]);
    // Across two tokens, and not at their ends.
    for (more, left) in [(&[][..], "<think> I ne"), (&["--include-stop-str-in-output"], "<think> I need t")] {
        let stop = [&["--stop", "ed t", "--stop", "nowhere"], more].concat();
        let replies = generate(dir.path(), POLICY, &rows, &stop);
        for reply in &replies[..2] {
            assert_eq!((text(reply).as_str(), &reply["finish"]), (left, &"stop_string".into()));
            assert!(ids(reply).len() < 12 && ids(&whole[0]).starts_with(&ids(reply)), "{reply}");
        }
        assert_eq!(replies[2], whole[2]);
        assert_eq!(generate(dir.path(), POLICY, &rows, &[&stop[..], &["--slots", "1"]].concat()), replies);
    }
}

/// One token is left: the most probable.
#[test]
fn tokens_are_left_out_of_draws() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(dir.path());
    let greedy = generate(dir.path(), POLICY, &rows, &[]);
    let hot =
        |more: &[&str]| generate(dir.path(), POLICY, &rows, &[&["--temperature", "1.5"], more].concat());
    assert_ne!(hot(&[]), greedy);
    for one in [["--top-k", "1"], ["--min-p", "1"], ["--top-p", "1e-9"]] {
        assert_eq!(hot(&one), greedy, "{one:?}");
    }
    assert_eq!(hot(&["--top-k", "0", "--min-p", "0", "--top-p", "1"]), hot(&[]));
}

#[test]
fn token_ids_need_no_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    let bare = copy_policy(dir.path(), "bare", &TOKENIZER_FILES);
    let row = file(dir.path(), "ids.jsonl", json!({"input_ids": [300, 301, 302]}).to_string());
    let with_text = generate(dir.path(), POLICY, &row, &[]);
    let without = generate(dir.path(), &bare, &row, &[]);
    assert_eq!(ids(&without[0]), ids(&with_text[0]));
    assert_eq!(without[0]["text"], "");
    assert_eq!(without[0]["finish"], with_text[0]["finish"]);
    let logprobs = toolrl(dir.path(), &["policy", "logprobs", "--policy", &bare, "--rows", &row]).rows();
    assert_eq!(logprobs[0]["logprobs"].as_array().unwrap().len(), 3);

    let ran = toolrl(
        dir.path(),
        &["policy", "generate", "--policy", &bare, "--rows", &rows(dir.path()), "--max-new-tokens", "2"],
    );
    assert_eq!(ran.stdout, "");
    let message = ran.error();
    assert!(message.contains("rows.jsonl, line 1") && message.contains("tokenizer.json"), "{message}");
}

#[test]
fn fields_of_a_row_are_read_refused_or_told() {
    let dir = tempfile::tempdir().unwrap();
    let policy = copy_policy(dir.path(), "lists", &["chat_template.jinja"]);
    let template = "{% for tool in tools or [] %}{{ tool.function.name }};{% endfor %}\
        {% for message in messages %}{{ message.content }}{% endfor %}";
    file(dir.path(), "lists/chat_template.jinja", template);
    let tools = json!([{"type": "function", "function": {"name": "light"}}]);
    let said = |text: &str| json!([{"role": "user", "content": text}]);
    let rows = [
        json!({"messages": said("light;on")}).to_string(),
        json!({"messages": said("on"), "tools": tools}).to_string(),
        json!({"messages": said("on"), "tools": tools.to_string()}).to_string(),
        json!({"messages": said("light;on"), "tools": [], "score": 1}).to_string().replace('1', "NaN"),
    ];
    let marked = file(dir.path(), "rows.jsonl", format!("\u{feff}{}", rows.join("\r\n")));
    let args = ["policy", "generate", "--policy", &policy, "--rows", &marked, "--max-new-tokens", "4"];
    let ran = toolrl(dir.path(), &args);
    assert!(ran.stderr.contains("score (1 rows)"), "{}", ran.stderr);
    let replies: Vec<_> = ran.rows().iter().map(ids).collect();
    assert!(replies.len() == 4 && replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    let others = [
        ("{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "Git LFS"),
    ];
    for (bytes, name) in others {
        file(dir.path(), "rows.jsonl", bytes);
        assert!(toolrl(dir.path(), &args).error().contains(name), "{name}");
    }
    for field in ["functions", "images", "documents"] {
        let row = json!({"messages": said("on"), field: ["a"]});
        file(dir.path(), "rows.jsonl", row.to_string());
        let message = toolrl(dir.path(), &args).error();
        assert!(message.contains(field) && message.contains("line 1"), "{message}");
    }
}

#[test]
fn logprobs_are_null_first_and_one_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let lengths = [5, 1, 0, 40];
    let row = |n: u64| format!("{}\n", json!({"input_ids": (300..300 + n).collect::<Vec<_>>()}));
    let rows = file(dir.path(), "ids.jsonl", lengths.map(row).concat());
    let scored = toolrl(dir.path(), &["policy", "logprobs", "--policy", POLICY, "--rows", &rows]).rows();
    assert_eq!(scored.len(), lengths.len());
    for (row, n) in scored.iter().zip(lengths) {
        let logprobs = row["logprobs"].as_array().unwrap();
        assert_eq!(logprobs.len() as u64, n);
        for (i, logprob) in logprobs.iter().enumerate() {
            match logprob.as_f64() {
                None => assert!(i == 0 && logprob.is_null(), "{row}"),
                Some(logprob) => assert!(i > 0 && logprob <= 0.0, "{row}"),
            }
        }
    }
}

/// Both commands read the same policy: the greedy token has the highest log-probability of all that
/// are tried in its place.
#[test]
fn the_greedy_token_is_the_most_probable_one() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = [300, 301, 302];
    let row = file(dir.path(), "prompt.jsonl", json!({"input_ids": prompt}).to_string());
    let greedy = ids(&generate(dir.path(), POLICY, &row, &[])[0])[0];
    let candidates: Vec<u64> = std::iter::once(greedy).chain((0..2000).step_by(40)).collect();
    let rows: String =
        candidates.iter().map(|&c| format!("{}\n", json!({"input_ids": [300, 301, 302, c]}))).collect();
    let rows = file(dir.path(), "candidates.jsonl", rows);
    let scored = toolrl(dir.path(), &["policy", "logprobs", "--policy", POLICY, "--rows", &rows]).rows();
    let last: Vec<f64> = scored.iter().map(|row| row["logprobs"][3].as_f64().unwrap()).collect();
    for (candidate, logprob) in candidates.iter().zip(&last) {
        assert!(*logprob <= last[0], "token {candidate}: {logprob}, greedy {greedy}: {}", last[0]);
    }
}

#[test]
fn a_directory_is_inspected_before_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let table = toolrl(dir.path(), &["policy", "inspect", POLICY]).ok();
    for part in
        ["architecture Llama", "parameters   1112192", "stored       4.2 MiB F32", "training     about"]
    {
        assert!(table.contains(part), "{part:?} is not in\n{table}");
    }
    let json = |more: &[&str]| {
        let args = [&["policy", "inspect", POLICY, "--json"], more].concat();
        toolrl(dir.path(), &args).rows().remove(0)
    };
    let (kept, recomputed) = (json(&[]), json(&["--recompute"]));
    assert_eq!(kept["memory"]["weights"], 4 * 1_112_192);
    let activations = |of: &Value| of["memory"]["activations"].as_u64().unwrap();
    assert!(activations(&recomputed) * 2 < activations(&kept));
    let reference = |more: &[&str]| json(more)["memory"]["reference"].as_u64().unwrap();
    assert_eq!(reference(&[]), 0);
    assert_eq!(reference(&["--reference", "start"]), 4 * 1_112_192);
    assert_eq!(reference(&["--reference", "moving-average", "--bf16"]), 6 * 1_112_192);
    let adapted = json(&["--lora-rank", "4"]);
    assert!(adapted["memory"]["optimizer"].as_u64() < kept["memory"]["optimizer"].as_u64());
}

#[test]
fn adapters_are_trained_read_and_merged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let set = |setting: &str| ["--set".to_owned(), setting.to_owned()];
    let settings = [
        "train.steps=2",
        "train.batch=2",
        "train.lora.rank=4",
        "train.activations=recompute",
        "data.world.train=4",
        "data.world.held_out=2",
        "eval.max_new_tokens=4",
    ];
    let mut args: Vec<String> =
        ["train", "quickstart-sft", "--policy", POLICY, "--run-dir", "run"].map(str::to_owned).into();
    args.extend(settings.into_iter().flat_map(set));
    toolrl(dir, &args.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    assert!(dir.join("run/final/adapter_model.safetensors").exists());
    assert!(!dir.join("run/final/model.safetensors").exists());

    let table = toolrl(dir, &["policy", "inspect", "run/final"]).ok();
    assert!(table.contains("adapters     rank 4 for q_proj, k_proj"), "{table}");
    toolrl(dir, &["policy", "merge", "--policy", "run/final", "--out", "whole"]).ok();
    let rows = file(dir, "ids.jsonl", json!({"input_ids": [300, 301, 302, 303, 304]}).to_string());
    let logprobs = |policy| {
        let row = toolrl(dir, &["policy", "logprobs", "--policy", policy, "--rows", &rows]).rows().remove(0);
        row["logprobs"].as_array().unwrap()[1..].iter().map(|l| l.as_f64().unwrap()).collect::<Vec<_>>()
    };
    let (base, adapted, whole) = (logprobs(POLICY), logprobs("run/final"), logprobs("whole"));
    assert_ne!(base, adapted);
    for (a, b) in adapted.iter().zip(&whole) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    let again = toolrl(dir, &["policy", "merge", "--policy", "whole", "--out", "new"]).error();
    assert!(again.contains("whole has no adapters"), "{again}");
    let head = |policy: &str| {
        let bytes = std::fs::read(dir.join(policy).join("model.safetensors")).unwrap();
        bytes.windows(14).any(|window| window == b"lm_head.weight")
    };
    toolrl(dir, &["policy", "merge", "--untie", "--policy", "whole", "--out", "own-head"]).ok();
    assert!(!head("whole") && head("own-head"));
    let config = std::fs::read_to_string(dir.join("own-head/config.json")).unwrap();
    assert!(config.contains("\"tie_word_embeddings\": false"), "{config}");
    assert_eq!(logprobs("own-head"), whole);
}
