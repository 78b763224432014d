//! Runs that are trained on several devices, for which the CPU stands.

use std::path::Path;

use serde_json::Value;

use crate::{toolrl, train, untimed_metrics};

/// Recipes, each with steps whose groups two devices do not share evenly, and the file of what is trained.
fn recipes() -> [(&'static str, &'static str, Vec<&'static str>); 5] {
    let whole = "model.safetensors";
    let common = [
        "train.steps=3",
        "train.checkpoint_every=2",
        "sampling.max_new_tokens=32",
        "data.world.train=32",
        "data.world.held_out=4",
        "eval.limit=2",
        "eval.max_new_tokens=8",
        "slots=8",
    ];
    let with = |own: &[&'static str]| [&common[..], own].concat();
    let lora = ["train.prompts=5", "train.group_size=4", "train.lora.rank=2", "train.loss.kl.coef=0.01"];
    let critic = ["train.prompts=3", "train.group_size=2", "train.critic.warmup_steps=1"];
    [
        ("tiny-sft", whole, with(&["train.batch=5"])),
        // One reply a step: the second device never has any.
        ("tiny-sft", whole, with(&["train.batch=1", "train.optimizer.max_grad_norm=0.1"])),
        ("tiny-grpo", whole, with(&["train.prompts=3", "train.group_size=4", "train.updates=2"])),
        ("tiny-grpo", "adapter_model.safetensors", with(&lora)),
        ("tiny-ppo", whole, with(&critic)),
    ]
}

/// The numbers of a file of f32.
fn numbers(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[test]
fn two_devices_train_as_one_does_and_as_they_did_before() {
    for (recipe, file, settings) in recipes() {
        let dir = tempfile::tempdir().unwrap();
        let run = |name: &str, devices| {
            let settings = [&settings[..], &[devices]].concat();
            train(dir.path(), &[recipe, "--run-dir", name], &settings).ok();
            let run = dir.path().join(name);
            (untimed_metrics(&run), numbers(&run.join("final").join(file)))
        };
        let (one, one_values) = run("one", "devices=1");
        let (two, two_values) = run("two", "devices=2");
        let again = run("again", "devices=2");
        assert!((&two, &two_values) == (&again.0, &again.1), "{recipe} {settings:?}");
        let number = |rows: &[Value], key: &str| rows[0][key].as_f64().unwrap();
        for key in ["loss", "grad_norm", "tokens_trained"] {
            let (one, two) = (number(&one, key), number(&two, key));
            assert!(
                (one - two).abs() <= 1e-4 * one.abs() + 1e-6,
                "{recipe} {settings:?} {key}: {one} and {two}"
            );
        }
        let gap = one_values.iter().zip(&two_values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(one_values.len() == two_values.len() && gap < 1e-3, "{recipe} {settings:?}: {gap}");
    }
}

#[test]
fn a_run_of_several_devices_goes_on_to_the_bit() {
    for (recipe, file, settings) in recipes() {
        let dir = tempfile::tempdir().unwrap();
        let settings = [&settings[..], &["devices=3"]].concat();
        let results = |name: &str| {
            let run = dir.path().join(name);
            (untimed_metrics(&run), numbers(&run.join("final").join(file)))
        };
        for run in ["whole", "run"] {
            train(dir.path(), &[recipe, "--run-dir", run], &settings).ok();
        }
        std::fs::remove_file(dir.path().join("run/summary.json")).unwrap();
        let resume = |more: &[&str]| toolrl(dir.path(), &[&["train", "--resume", "run"], more].concat());
        let message = resume(&["--set", "devices=2"]).error();
        assert!(message.contains("device: 3 x cpu -> 2 x cpu"), "{message}");
        resume(&[]).ok();
        assert!(results("run") == results("whole"), "{recipe} {settings:?}");
    }
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let message = train(dir.path(), &["--run-dir", "run"], &["devices=0"]).error();
    assert!(message.contains("devices should be at least 1"), "{message}");
    let message = train(dir.path(), &["--run-dir", "run", "--device", "cuda:1000"], &["devices=2"]).error();
    assert!(message.contains("cannot compute on cuda:1000"), "{message}");
}
