//! `toolrl export`.

use std::path::Path;

use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde_json::{Value, json};
use toolrl_chat::Chat;
use toolrl_record::{completions_path, read_completions};

use crate::{POLICY, Ran, contents, file, toolrl, train};

const WORLD: [&str; 5] = [
    "data.world.train=24",
    "data.world.held_out=6",
    "train.prompts=2",
    "train.group_size=2",
    "sampling.max_new_tokens=8",
];

fn export(dir: &Path, trainer: &str, args: &[&str], settings: &[&str]) -> Ran {
    let settings = settings.iter().flat_map(|set| ["--set", *set]);
    let all: Vec<&str> =
        ["export", trainer].into_iter().chain(args.iter().copied()).chain(settings).collect();
    toolrl(dir, &all)
}

/// The rows of a table as JSON.
fn rows(path: &Path) -> Vec<Value> {
    let table = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    table.into_iter().map(|row| of_row(&row.unwrap())).collect()
}

fn of_row(row: &Row) -> Value {
    row.get_column_iter().map(|(name, field)| (name.clone(), of_field(field))).collect()
}

fn of_field(field: &Field) -> Value {
    match field {
        Field::Str(text) => json!(text),
        Field::ULong(number) => json!(number),
        Field::Long(number) => json!(number),
        Field::Group(row) => of_row(row),
        Field::ListInternal(list) => list.elements().iter().map(of_field).collect(),
        other => panic!("{other:?}"),
    }
}

/// What `run.json` has of the tokens of all that a run trains on: their CRC-32C, each behind its length.
fn checksum(all: impl Iterator<Item = Vec<u32>>) -> Value {
    let add = |crc, ids: Vec<u32>| {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        crc32c::crc32c_append(crc32c::crc32c_append(crc, &(ids.len() as u64).to_le_bytes()), &bytes)
    };
    json!(format!("{:08x}", all.fold(0, add)))
}

fn of_run(dir: &Path) -> Value {
    let run: Value = serde_json::from_slice(&std::fs::read(dir.join("run/run.json")).unwrap()).unwrap();
    run["prompts"].clone()
}

#[test]
fn the_prompts_are_those_that_a_run_samples_from() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    train(dir, &["--run-dir", "run"], &[&WORLD[..], &["train.steps=1", "eval.limit=1"]].concat()).ok();
    let told = export(dir, "trl", &["run/config.toml", "--out", "trl"], &[]).ok();
    assert!(told.starts_with("trl: 24 tasks to train on, 6 held out, 1 steps\n"), "{told}");
    let rows = rows(&dir.join("trl/train.parquet"));
    let chat = Chat::load(&dir.join("trl/tokenizer")).unwrap();
    let ids = |row: &Value| chat.encode(row["prompt"].as_str().unwrap()).unwrap();
    assert!(rows.iter().all(|row| row["prompt_tokens"] == json!(ids(row).len())));
    assert_eq!(checksum(rows.iter().map(ids)), of_run(dir));
    for sampled in read_completions(&completions_path(&dir.join("run"), 1)).unwrap() {
        let row = rows.iter().find(|row| row["id"] == json!(sampled.sample_id)).unwrap();
        assert_eq!((&row["prompt"], &row["gold"]), (&json!(sampled.prompt), &json!(sampled.gold)));
    }
}

#[test]
fn demonstrations_are_those_that_a_run_learns_from() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let settings =
        ["data.world.train=24", "data.world.held_out=6", "train.steps=1", "train.batch=2", "eval.limit=1"];
    train(dir, &["quickstart-sft", "--run-dir", "run"], &settings).ok();
    let told = export(dir, "trl", &["run/config.toml", "--out", "trl"], &[]).ok();
    assert!(told.starts_with("trl: 24 tasks to train on, 6 held out, 1 steps\n"), "{told}");
    assert!(!dir.join("trl/reward.py").exists());
    let rows = rows(&dir.join("trl/train.parquet"));
    let of = |row: &Value, name: &str| -> Vec<u32> { serde_json::from_value(row[name].clone()).unwrap() };
    for row in &rows {
        let learned = of(row, "completion_mask");
        let prompt = learned.iter().take_while(|&&of_reply| of_reply == 0).count();
        assert!(prompt > 0 && prompt < learned.len(), "{learned:?}");
        assert!(learned[prompt..].iter().all(|&of_reply| of_reply == 1), "{learned:?}");
    }
    assert_eq!(checksum(rows.iter().map(|row| of(row, "input_ids"))), of_run(dir));
}

#[test]
fn both_trainers_get_the_same_tasks_in_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for trainer in ["trl", "verl"] {
        export(dir, trainer, &["--policy", POLICY, "--out", trainer], &WORLD).ok();
        for name in ["SETTINGS.md", "reward.toml", "reward.py", "tokenizer/tokenizer.json"] {
            assert!(dir.join(trainer).join(name).exists(), "{trainer} {name}");
        }
    }
    for (name, count) in [("train.parquet", 24), ("held_out.parquet", 6)] {
        let (trl, verl) = (rows(&dir.join("trl").join(name)), rows(&dir.join("verl").join(name)));
        assert_eq!((trl.len(), verl.len()), (count, count));
        for (trl, verl) in trl.iter().zip(&verl) {
            assert_eq!(verl["prompt"], json!([{"role": "rendered", "content": trl["prompt"]}]));
            assert_eq!(verl["reward_model"], json!({"style": "rule", "ground_truth": trl["gold"]}));
            assert_eq!((&verl["data_source"], &verl["ability"]), (&json!("quickstart"), &json!("tool_call")));
            for key in ["id", "kind", "tools", "opened", "prompt_tokens"] {
                assert_eq!(verl["extra_info"][key], trl[key], "{key}");
            }
        }
    }
}

#[test]
fn an_export_is_not_written_over_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let settings = [&WORLD[..], &["template.date=2026-01-02"]].concat();
    let again = |more: &[&str]| export(dir, "verl", &[&["--out", "out"], more].concat(), &settings);
    again(&[]).ok();
    assert!(dir.join("out/start/model.safetensors").exists(), "the tiny policy lies beside the files");
    let before = contents(dir);
    let message = again(&[]).error();
    assert!(message.contains("is there already") && message.contains("--force"), "{message}");
    again(&["--force"]).ok();
    assert!(contents(dir) == before, "another export of the same recipe has other files");
}

#[test]
fn what_cannot_be_exported_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fresh = file(dir, "fresh.toml", "name = \"a\"\n[policy.fresh]\n[train]\nmethod = \"grpo\"\n");
    for (trainer, recipe, set, part) in [
        ("trl", "ppo", "seed=1", "train.method = ppo"),
        ("verl", "tiny-sft", "seed=1", "supported are grpo and ppo"),
        ("trl", "quickstart", "train.advantage=leave_one_out", "leave_one_out"),
        (
            "trl",
            "quickstart",
            "reward=[{id=\"command\", command=[\"x\"], range=[0.0, 1.0]}]",
            "built-in terms alone",
        ),
        ("trl", "quickstart", "environment.kind=shop", "environment.kind = \"shop\""),
        ("trl", fresh.as_str(), "seed=1", "policy.fresh"),
        ("trl", "quickstart", "train.max_prompt_tokens=20", "train.max_prompt_tokens = 20"),
    ] {
        let message = export(dir, trainer, &[recipe, "--out", "out"], &[set, "data.world.train=9"]).error();
        assert!(message.contains(part), "{recipe} {set}: {message}");
        assert!(!dir.join("out").exists(), "{recipe} {set}");
    }
}
