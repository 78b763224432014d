//! `toolrl export`.

use std::collections::BTreeMap;
use std::path::Path;

use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde_json::{Value, json};
use toolrl_record::read_completions;

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

#[test]
fn the_prompts_are_those_that_a_run_samples_from() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    train(dir, &["--run-dir", "run"], &[&WORLD[..], &["train.steps=3", "eval.limit=1"]].concat()).ok();
    let told = export(dir, "trl", &["run/config.toml", "--out", "trl"], &[]).ok();
    assert!(told.starts_with("trl: 24 tasks to train on, 6 held out, 3 steps\n"), "{told}");
    let by_id: BTreeMap<String, Value> = rows(&dir.join("trl/train.parquet"))
        .into_iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), row))
        .collect();
    let mut seen = 0;
    for step in 1..=3 {
        for sampled in read_completions(&toolrl_record::completions_path(&dir.join("run"), step)).unwrap() {
            let row = &by_id[&sampled.sample_id];
            assert_eq!((&row["prompt"], &row["gold"]), (&json!(sampled.prompt), &json!(sampled.gold)));
            let episode = sampled.episode.unwrap();
            assert_eq!(row["prompt_tokens"], json!(episode.turns[0].start));
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
}

/// `run.json` has a checksum of the tokens of every demonstration, each behind its length.
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
    let mut checksum = 0;
    for row in rows(&dir.join("trl/train.parquet")) {
        let of = |name: &str| {
            row[name].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect::<Vec<_>>()
        };
        let (ids, learned) = (of("input_ids"), of("completion_mask"));
        let prompt = learned.iter().take_while(|&&of_reply| of_reply == 0).count();
        assert!(prompt > 0 && learned[prompt..].iter().all(|&of_reply| of_reply == 1), "{learned:?}");
        checksum = crc32c::crc32c_append(checksum, &(ids.len() as u64).to_le_bytes());
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| (id as u32).to_le_bytes()).collect();
        checksum = crc32c::crc32c_append(checksum, &bytes);
    }
    let run: Value = serde_json::from_slice(&std::fs::read(dir.join("run/run.json")).unwrap()).unwrap();
    assert_eq!(run["prompts"], json!(format!("{checksum:08x}")));
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
    let again = |more: &[&str]| export(dir, "verl", &[&["--out", "out"], more].concat(), &WORLD);
    again(&[]).ok();
    assert!(dir.join("out/start/model.safetensors").exists(), "the tiny policy lies beside the files");
    let before = contents(dir);
    let message = again(&[]).error();
    assert!(message.contains("is there already") && message.contains("--force"), "{message}");
    again(&["--force"]).ok();
    assert_eq!(contents(dir), before);
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
