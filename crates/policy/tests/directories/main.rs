//! Model directories of others in many forms, against what transformers and PEFT compute of them
//! (`fixtures/reference/directories.py`).

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod conventions;
mod families;
mod refused;
mod row;
mod tensors;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use row::{compare, gradients};
use serde_json::{Value, json};
use tensors::{Tensor, write};
use toolrl_policy::{LoraConfig, Policy, Precision};

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn load(dir: &Path) -> Policy {
    Policy::load(dir, Precision::F32, &Device::flex()).unwrap()
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

/// An adapter of the reference policy: its settings, and tensors with the script's values.
fn adapter(dir: &Path, config: &Value, shapes: &Value) -> PathBuf {
    let to = dir.join("adapter");
    fs::create_dir_all(&to).unwrap();
    let mut config = config.clone();
    config["base_model_name_or_path"] = json!(reference().join("policy"));
    fs::write(to.join("adapter_config.json"), config.to_string()).unwrap();
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(shapes.clone()).unwrap();
    let mut n = 0;
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let around = if name.contains("magnitude") || name.contains("norm") { 1.0 } else { 0.0 };
        let value = |_| {
            n += 1;
            (around + 0.2 * f64::from(n).sin()) as f32
        };
        let values = (0..shape.iter().product::<usize>()).map(value).collect();
        Tensor::floats(&name, shape, values)
    };
    write(&to.join("adapter_model.safetensors"), &shapes.into_iter().map(tensor).collect::<Vec<_>>());
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
        let Some(own) = policy.lora() else {
            // Those in the weights leave nothing frozen.
            assert!(gradients(&policy, 20).iter().all(|of| of.iter().any(|&g| g != 0.0)), "{name}");
            continue;
        };
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
