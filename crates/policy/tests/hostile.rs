//! Model directories whose files were changed anywhere: loaded, or refused by an error, and never a panic.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use toolrl_policy::{Generation, Heads, ModelConfig, Policy, PolicyError, Precision};

const WEIGHTS: &str = "model.safetensors";

/// A whole model directory.
fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = ModelConfig::tiny(32, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    let policy = Policy::fresh(config, Generation::stopping_at(vec![0]), 1, &Device::flex());
    policy.save(&dir.path().join("model"), |_| Ok::<_, std::io::Error>(())).unwrap();
    dir
}

fn load(dir: &Path) -> Result<Policy, PolicyError> {
    Policy::load(&dir.join("model"), Precision::F32, &Device::flex())
}

/// The directory with one of its files changed.
fn changed(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let dir = model();
    let path = dir.path().join("model").join(file);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
    dir
}

/// How many of the weights' bytes come before the numbers: a length, and a header of that length.
fn header(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize
}

/// Values that a file could give in place of another.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..100).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "silu",
            "llama3",
            "yarn",
            "dynamic",
            "default",
            "../../x",
            "LlamaForCausalLM",
            "\u{0}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let keys = prop::sample::select(vec![
            "rope_type",
            "factor",
            "low_freq_factor",
            "rope_theta",
            "mscale",
            "other",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(keys, inner, 0..4)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// Keys of `config.json` that are read.
const KEYS: [&str; 26] = [
    "architectures",
    "model_type",
    "dtype",
    "original_max_position_embeddings",
    "per_layer_config",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "tie_word_embeddings",
    "attention_bias",
    "max_position_embeddings",
    "hidden_act",
    "mlp_bias",
    "use_sliding_window",
    "layer_types",
    "quantization_config",
    "eos_token_id",
    "partial_rotary_factor",
];

proptest! {
    #[test]
    fn a_byte_of_the_header_differs(at in any::<Index>(), byte in any::<u8>()) {
        let dir = changed(WEIGHTS, |bytes| {
            let at = at.index(header(bytes));
            bytes[at] = byte;
        });
        if let Err(error) = load(dir.path()) {
            prop_assert!(error.to_string().contains("model"), "{error}");
        }
    }

    #[test]
    fn weights_are_cut_off(at in any::<Index>()) {
        let dir = changed(WEIGHTS, |bytes| bytes.truncate(at.index(bytes.len())));
        let error = load(dir.path()).unwrap_err().to_string();
        prop_assert!(error.contains(WEIGHTS), "{error}");
    }

    #[test]
    fn any_header_may_be_there(header in values(), numbers in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = header.to_string().into_bytes();
        let dir = changed(WEIGHTS, |bytes| {
            *bytes = [&(text.len() as u64).to_le_bytes()[..], &text, &numbers].concat();
        });
        prop_assert!(load(dir.path()).is_err());
    }

    #[test]
    fn any_value_may_stand_in_the_configuration(key in prop::sample::select(KEYS.to_vec()), value in values()) {
        let dir = changed("config.json", |bytes| {
            let mut config: Value = serde_json::from_slice(bytes).unwrap();
            config[key] = value.clone();
            *bytes = config.to_string().into_bytes();
        });
        match load(dir.path()) {
            // What is loaded can be looked at, whatever the numbers then are.
            Ok(policy) => prop_assert!(policy.parameters().len() > 10),
            Err(error) => prop_assert!(error.to_string().contains("model"), "{error}"),
        }
        let _ = ModelConfig::from_value(json!({ key: value }));
    }

    #[test]
    fn any_value_may_be_a_whole_file(value in values()) {
        for file in ["config.json", "generation_config.json", "model.safetensors.index.json"] {
            let dir = model();
            fs::write(dir.path().join("model").join(file), value.to_string()).unwrap();
            if file.contains("index") {
                fs::remove_file(dir.path().join("model").join(WEIGHTS)).unwrap();
            }
            if let Err(error) = load(dir.path()) {
                prop_assert!(error.to_string().contains("model"), "{error}");
            }
        }
    }
}

#[test]
fn settings_too_large_for_a_model_are_refused() {
    for file in ["config.json", "generation_config.json"] {
        let dir = changed(file, |bytes| bytes.resize(33 << 20, b' '));
        let error = load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("32 MiB"), "{error}");
    }
}
