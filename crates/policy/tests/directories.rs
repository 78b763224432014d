//! Model directories of others in many forms, against what transformers and PEFT compute of them
//! (`fixtures/reference/directories.py`).

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use toolrl_policy::{LoraConfig, Packing, Pass, Policy, Precision};

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn load(dir: &Path) -> Policy {
    Policy::load(dir, Precision::F32, &Device::flex()).unwrap()
}

/// The script's row of tokens.
fn row(length: u32) -> Vec<u32> {
    (0..length).map(|i| (7 * i + i * i) % 37 + 3).collect()
}

/// Compares the log-probabilities of a row's last tokens.
#[track_caller]
fn compare(what: &str, policy: &Policy, expected: &Value, length: u32) {
    let expected: Vec<f32> = serde_json::from_value(expected.clone()).unwrap();
    let (ids, n) = (row(length), length as usize - 1);
    let pass = Pass {
        tokens: ids[..n].to_vec().into(),
        packing: Packing::single(n).into(),
        rows: (0..n as u32).collect::<Vec<_>>().into(),
        targets: ids[1..].to_vec().into(),
    };
    let found: Vec<f32> = policy.logprobs(&pass, 1.0).narrow(0, 0, 1).into_data().try_into_vec_as().unwrap();
    for (found, expected) in found[n - expected.len()..].iter().zip(&expected) {
        assert!((found - expected).abs() < 2e-4, "{what}: {found}, and the reference has {expected}");
    }
}

/// A copy of the reference policy with keys of its configuration put over; null takes a key away.
fn policy_with(dir: &Path, over: &Value) -> PathBuf {
    let (to, from) = (dir.join("policy"), reference().join("policy"));
    fs::create_dir_all(&to).unwrap();
    fs::copy(from.join("model.safetensors"), to.join("model.safetensors")).unwrap();
    let mut config = read(&from.join("config.json"));
    for (key, value) in over.as_object().unwrap() {
        config[key] = value.clone();
    }
    config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    fs::write(to.join("config.json"), config.to_string()).unwrap();
    to
}

#[test]
fn rotary_settings() {
    for (name, form) in read(&reference().join("rope.json")).as_object().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        let policy = load(&policy_with(dir.path(), &form["over"]));
        compare(name, &policy, &form["logprobs"], 80);
        // What is saved is read as the same by whoever reads it.
        let again = dir.path().join("again");
        policy.save(&again, |_| Ok::<_, std::io::Error>(())).unwrap();
        compare(name, &load(&again), &form["logprobs"], 80);
        for (key, value) in form["over"].as_object().unwrap().iter().filter(|(_, value)| !value.is_null()) {
            assert_eq!(read(&again.join("config.json"))[key], *value, "{name}");
        }
    }
}

#[test]
fn rotary_settings_that_are_refused_by_name() {
    for (over, name) in [
        (
            json!({"rope_scaling": {"rope_type": "longrope", "short_factor": [1], "long_factor": [1]}}),
            "longrope",
        ),
        (json!({"rope_scaling": {"type": "su"}}), "su"),
        (json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}), "full_attention"),
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "low_freq": 3}}), "low_freq"),
        (json!({"rope_scaling": {"rope_type": "linear"}}), "factor is missing"),
        (json!({"rope_scaling": {"rope_type": "yarn"}}), "factor is missing"),
        (json!({"rope_scaling": {"rope_type": "dynamic", "factor": -1.0}}), "factor"),
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "truncate": 1}}), "truncate"),
        (
            json!({"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "partial_rotary_factor": 0.5}),
            "partial_rotary_factor",
        ),
        (json!({"rope_parameters": [1]}), "rope_parameters"),
        (json!({"rope_theta": "big", "rope_parameters": {}}), "rope_theta"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let refused = Policy::load(&policy_with(dir.path(), &over), Precision::F32, &Device::flex());
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("config.json") && message.contains(name), "{over}: {message}");
    }
}

/// An adapter of the reference policy: its settings, and tensors with the script's values.
fn adapter(dir: &Path, config: &Value, shapes: &Value) -> PathBuf {
    let to = dir.join("adapter");
    fs::create_dir_all(&to).unwrap();
    let mut config = config.clone();
    config["base_model_name_or_path"] = json!(reference().join("policy"));
    fs::write(to.join("adapter_config.json"), config.to_string()).unwrap();
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(shapes.clone()).unwrap();
    let mut n = 0;
    let bytes = |(name, shape): (&String, &Vec<usize>)| {
        let around = if name.contains("magnitude") || name.contains("norm") { 1.0 } else { 0.0 };
        let mut value = || {
            n += 1;
            (around + 0.2 * f64::from(n).sin()) as f32
        };
        (0..shape.iter().product()).flat_map(|_: usize| value().to_le_bytes()).collect::<Vec<u8>>()
    };
    let bytes: Vec<Vec<u8>> = shapes.iter().map(bytes).collect();
    let views = shapes.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &to.join("adapter_model.safetensors")).unwrap();
    to
}

#[test]
fn adapters() {
    for (name, form) in read(&reference().join("adapters.json")).as_object().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        let from = adapter(dir.path(), &form["config"], &form["tensors"]);
        let policy = load(&from);
        compare(name, &policy, &form["logprobs"], 20);
        assert!(policy.has_adapters());
        // Merged, they are a model like any other.
        let merged = dir.path().join("merged");
        let saved = policy.merged().save_as_read(&merged, |_| Ok::<_, std::io::Error>(()));
        if name.contains("without a place") {
            assert!(saved.unwrap_err().to_string().contains("o_proj.bias"));
        } else {
            let whole = load(&merged);
            assert!(!whole.has_adapters());
            compare(name, &whole, &form["logprobs"], 20);
        }
        let fresh = policy.clone().with_lora(&LoraConfig::default(), 1);
        assert!(fresh.is_err(), "{name}: adapters over adapters would be saved without those below");
        let Some(own) = policy.lora() else { continue };
        // Those that are trained are saved as they were read.
        let again = dir.path().join("again");
        policy.save(&again, |_| Ok::<_, std::io::Error>(())).unwrap();
        compare(name, &load(&again), &form["logprobs"], 20);
        assert_eq!(
            read(&again.join("adapter_config.json"))["alpha_pattern"],
            form["config"]["alpha_pattern"]
        );
        assert_eq!(
            policy.num_params() as u64,
            load(&reference().join("policy")).num_params() as u64 + policy.config().lora_params(own)
        );
    }
}

#[test]
fn options_of_adapters_that_are_refused_by_name() {
    let all = read(&reference().join("adapters.json"));
    let of = |form: &str, over: Value| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = all[form]["config"].clone();
        for (key, value) in over.as_object().unwrap() {
            config[key] = value.clone();
        }
        let dir = adapter(dir.path(), &config, &all[form]["tensors"]);
        let refused = Policy::load(&dir, Precision::F32, &Device::flex());
        refused.map(|_| ()).map_err(|e| e.to_string())
    };
    for (key, value) in [
        ("use_qalora", json!(true)),
        ("layer_replication", json!([[0, 1]])),
        ("target_parameters", json!(["experts"])),
        ("alora_invocation_tokens", json!([1])),
        ("arrow_config", json!({"top_k": 2})),
        ("kasa_config", json!({"beta": 0.1})),
        ("megatron_config", json!({"a": 1})),
        ("of_a_later_version", json!(0.5)),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("loftq")),
        ("init_lora_weights", json!("corda")),
        ("task_type", json!("SEQ_CLS")),
        ("peft_type", json!("LOHA")),
        ("bias", json!("some")),
        ("lora_bias", json!("yes")),
        ("layers_to_transform", json!("first")),
        ("target_modules", json!("(")),
        ("trainable_token_indices", json!({"lm_head": [1]})),
    ] {
        let message = of("plain", json!({ key: value })).unwrap_err();
        assert!(message.contains(key) && message.contains("adapter_config.json"), "{key}: {message}");
    }
    for (form, over, name) in [
        ("regex", json!({"layers_to_transform": [1]}), "layers_to_transform"),
        ("plain", json!({"target_modules": ["q_proj"]}), "v_proj.lora_A.weight"),
        ("plain", json!({"layers_to_transform": [0]}), "unexpected"),
        ("patterns", json!({"rank_pattern": {}}), "expected [2, 16]"),
        ("biases of b", json!({"lora_bias": false}), "k_proj.lora_B.bias"),
        ("dora", json!({"use_dora": false}), "lora_magnitude_vector"),
        ("all biases", json!({"bias": "none"}), "bias"),
        ("head and norms", json!({"modules_to_save": null}), "lm_head.weight"),
        ("tokens", json!({"trainable_token_indices": [9, 4000]}), "4000"),
        ("plain", json!({"use_dora": true, "lora_bias": true}), "lora_bias"),
        ("table", json!({"ensure_weight_tying": true}), "ensure_weight_tying"),
        ("adapted table", json!({"use_dora": true}), "target_modules"),
    ] {
        let message = of(form, over).unwrap_err();
        assert!(message.contains(name), "{form}: {message}");
    }
    for over in
        [json!({"of_a_later_version": null}), json!({"of_a_later_version": []}), json!({"revision": "main"})]
    {
        of("plain", over).unwrap();
    }
}
