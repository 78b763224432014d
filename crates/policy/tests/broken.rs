//! Broken model directories: each an error that names the place, and none a panic.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use serde_json::{Value, json};
use toolrl_policy::{Generation, Heads, ModelConfig, Policy, Precision};

const WEIGHTS: &str = "model.safetensors";

/// A whole model directory.
fn write(dir: &Path) {
    let config = ModelConfig::tiny(32, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    let policy = Policy::fresh(config, Generation::stopping_at(vec![0]), 1, &Device::flex());
    policy.save(dir, |_| Ok::<_, std::io::Error>(())).unwrap();
}

/// The message with which a directory is refused after `breaking`.
fn refused(breaking: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    write(&model);
    breaking(&model);
    Policy::load(&model, Precision::F32, &Device::flex()).unwrap_err().to_string()
}

fn with_config(key: &str, value: Value) -> String {
    refused(|dir| {
        let path = dir.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        fs::write(path, config.to_string()).unwrap();
    })
}

/// The weights' bytes: 8 for the header's length, the header, the data.
fn with_weights(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    refused(|dir| {
        let path = dir.join(WEIGHTS);
        fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    })
}

/// The weights with a text of their header replaced by another of the same length.
fn with_header(from: &str, to: &str) -> String {
    assert_eq!(from.len(), to.len());
    with_weights(|mut bytes| {
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    })
}

#[track_caller]
fn names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} should name {part:?}");
    }
}

#[test]
fn weight_files() {
    names(&with_weights(|bytes| bytes[..bytes.len() - 100].to_vec()), &[WEIGHTS]);
    names(&with_weights(|bytes| bytes[..5].to_vec()), &[WEIGHTS]);
    names(&with_weights(|_| Vec::new()), &[WEIGHTS]);
    // A header of 2^60 bytes.
    names(&with_weights(|bytes| [&[0, 0, 0, 0, 0, 0, 0, 0x10], &bytes[8..]].concat()), &[WEIGHTS]);
    names(&with_header("[32,16]", "[64,16]"), &[WEIGHTS]);
    names(&with_header("[32,16]", "[16,32]"), &["model.embed_tokens.weight", "[16, 32]", "[32, 16]"]);
    names(&with_header("norm.weight", "gone.weight"), &["1 missing", "1 unexpected", "gone.weight"]);
    names(&refused(|dir| fs::remove_file(dir.join(WEIGHTS)).unwrap()), &[WEIGHTS, "neither"]);
}

#[test]
fn shards() {
    let index = |files: Value| {
        refused(|dir| {
            let index = json!({ "weight_map": files }).to_string();
            fs::write(dir.join("model.safetensors.index.json"), index).unwrap();
            fs::remove_file(dir.join(WEIGHTS)).unwrap();
        })
    };
    names(&index(json!({ "a": "model-00001-of-00002.safetensors" })), &["00001-of-00002", "No such file"]);
    names(&index(json!({ "a": "../model.safetensors" })), &["index.json", "../model.safetensors"]);
    names(&index(json!({ "a": 3 })), &["index.json", "weight_map"]);
    names(&index(json!([])), &["index.json", "weight_map"]);
}

#[test]
fn sizes_that_the_weights_do_not_have() {
    let message = with_config("num_hidden_layers", json!(900));
    names(&message, &["8082 missing", "model.layers.2.", "more"]);
    assert!(message.len() < 2_000, "{} bytes", message.len());
    names(&with_config("vocab_size", json!(16_000_000)), &["model.embed_tokens.weight", "[16000000, 16]"]);
    for (key, value) in [
        ("vocab_size", json!(1u64 << 60)),
        ("num_hidden_layers", json!(1_000_000)),
        ("hidden_size", json!(0)),
        ("intermediate_size", json!(-3)),
        ("num_key_value_heads", json!(7)),
        ("head_dim", json!(3)),
        ("rms_norm_eps", json!("small")),
        ("model_type", json!("mamba")),
        ("hidden_act", json!("gelu")),
    ] {
        names(&with_config(key, value), &["config.json", key]);
    }
}

#[test]
fn config_files() {
    for text in ["", "{", "[]", "{\"architectures\": 3}"] {
        let message = refused(|dir| fs::write(dir.join("config.json"), text).unwrap());
        names(&message, &["config.json"]);
        names(&refused(|dir| fs::write(dir.join("generation_config.json"), "{]").unwrap()), &["generation"]);
    }
    names(
        &refused(|dir| fs::write(dir.join("generation_config.json"), "{\"eos_token_id\": -1}").unwrap()),
        &["generation_config.json", "eos_token_id"],
    );
}
