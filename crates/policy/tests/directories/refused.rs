//! What is refused by name.

use std::fs;

use burn::tensor::Device;
use serde_json::{Value, json};
use toolrl_policy::{Policy, Precision};

use crate::tensors::{Tensor, read_tensors, write};
use crate::{adapter, policy_with, read, reference};

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
        ("table", json!({"ensure_weight_tying": true}), "lm_head.weight"),
        ("adapted head", json!({"init_lora_weights": "pissa"}), "init_lora_weights"),
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

/// The message with which the reference policy is refused once its tensors are changed.
fn with_tensors(change: impl FnOnce(&mut Vec<Tensor>)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy_with(dir.path(), &json!({}));
    let path = policy.join("model.safetensors");
    let mut tensors = read_tensors(&path);
    change(&mut tensors);
    write(&path, &tensors);
    Policy::load(&policy, Precision::F32, &Device::flex()).unwrap_err().to_string()
}

#[test]
fn tensors_that_are_refused_by_name() {
    let extra = |name: &str| Tensor::floats(name, vec![2], vec![0.0; 2]);
    let head = with_tensors(|tensors| tensors.push(extra("v_head.summary.weight")));
    assert!(head.contains("1 unexpected: v_head.summary.weight"), "{head}");
    let twice = with_tensors(|tensors| tensors.push(extra("norm.weight")));
    assert!(twice.contains("model.norm.weight is there twice"), "{twice}");
    let wrapped = with_tensors(|tensors| {
        tensors.iter_mut().for_each(|tensor| tensor.name = format!("_orig_mod.{}", tensor.name));
    });
    assert!(wrapped.contains("_orig_mod.model") && wrapped.contains("missing"), "{wrapped}");
}

#[test]
fn models_that_are_refused_by_name() {
    for (key, value) in [
        ("model_type", json!("mistral")),
        ("mlp_bias", json!(true)),
        ("layer_types", json!(["full_attention", "sliding_attention"])),
        ("quantization_config", json!({"quant_method": "gptq"})),
        ("transformers_weights", json!("other.safetensors")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let policy = policy_with(dir.path(), &json!({ key: value }));
        let message = Policy::load(&policy, Precision::F32, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    let windows =
        json!({"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1, "layer_types": null});
    let policy = policy_with(dir.path(), &windows);
    let message = Policy::load(&policy, Precision::F32, &Device::flex()).unwrap_err().to_string();
    assert!(message.contains("use_sliding_window"), "{message}");
}

#[test]
fn files_that_are_not_what_they_seem() {
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 538090408\n";
    let all = read(&reference().join("adapters.json"));
    for file in
        ["model.safetensors", "config.json", "model.safetensors.index.json", "adapter_model.safetensors"]
    {
        let dir = tempfile::tempdir().unwrap();
        let at = match file {
            "adapter_model.safetensors" => {
                adapter(dir.path(), &all["plain"]["config"], &all["plain"]["tensors"])
            }
            _ => policy_with(dir.path(), &json!({})),
        };
        if file.contains("index") {
            fs::remove_file(at.join("model.safetensors")).unwrap();
        }
        fs::write(at.join(file), POINTER).unwrap();
        let message = Policy::load(&at, Precision::F32, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains(file) && message.contains("git lfs pull"), "{message}");
    }
    for (form, weights, pickle) in [
        (None, "model.safetensors", "pytorch_model.bin"),
        (None, "model.safetensors", "pytorch_model.bin.index.json"),
        (Some("plain"), "adapter_model.safetensors", "adapter_model.bin"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let at = match form {
            Some(form) => adapter(dir.path(), &all[form]["config"], &all[form]["tensors"]),
            None => policy_with(dir.path(), &json!({})),
        };
        fs::rename(at.join(weights), at.join(pickle)).unwrap();
        let message = Policy::load(&at, Precision::F32, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains(pickle) && message.contains("python3 -c"), "{message}");
    }
}
