//! Families beside Llama and Qwen, of every odd setting, against what transformers and PEFT compute of them
//! (`fixtures/reference/families.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use toolrl_kernels::{CacheSpans, Packing};
use toolrl_policy::{
    Activations, Critic, Inspection, JoinedProjections, KvCache, LoraConfig, ModelConfig, Policy, Precision,
};

use crate::row::{compare, compare_numbers, gradients_with, logprobs, row};
use crate::tensors::{Tensor as Stored, write};
use crate::{adapter, load, read, reference};

const LENGTH: u32 = 24;

fn forms() -> BTreeMap<String, Value> {
    serde_json::from_value(read(&reference().join("families.json"))).unwrap()
}

/// A model of this configuration with the script's weights.
fn model(dir: &Path, config: &Value) -> PathBuf {
    let to = dir.join("model");
    fs::create_dir_all(&to).unwrap();
    fs::write(to.join("config.json"), config.to_string()).unwrap();
    let shapes: BTreeMap<_, _> =
        ModelConfig::from_value(config.clone()).unwrap().parameter_shapes().into_iter().collect();
    let mut n: u64 = 0;
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let around = if name.contains("norm") { 1.0 } else { 0.0 };
        let value = |_| {
            n += 1;
            (around + 0.6 * (((7 * n + 3) * n % 1009) as f64 / 1009.0 - 0.5)) as f32
        };
        let values = (0..shape.iter().product::<usize>()).map(value).collect();
        Stored::floats(&name, shape, values)
    };
    write(&to.join("model.safetensors"), &shapes.into_iter().map(tensor).collect::<Vec<_>>());
    to
}

/// As [`logprobs`], of a prompt of nine tokens and the cached steps after it.
fn decoded(policy: &Policy) -> Vec<f32> {
    let (ids, decoder) = (row(LENGTH), policy.decoder());
    let (prompt, n) = (9, ids.len() - 1);
    let mut cache = KvCache::new(policy, n);
    let packing = Packing::single(prompt).into();
    let mut last =
        decoder.prefill(ids[..prompt].to_vec().into(), &packing, &mut cache, (0..prompt).collect());
    let mut found = Vec::new();
    for at in prompt..=n {
        let logits = vec(decoder.logits(last.clone()));
        let sum: f32 = logits.iter().map(|x| x.exp()).sum();
        found.push(logits[ids[at] as usize] - sum.ln());
        if at < n {
            let spans = CacheSpans { prefix: (0, prompt), own: (prompt, at + 1 - prompt) };
            let step = decoder.decode_step(vec![ids[at]], vec![spans]);
            last = decoder.decode(&step, &JoinedProjections::default(), &mut cache);
        }
    }
    found
}

fn vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as().unwrap()
}

#[test]
fn log_probabilities_are_the_reference_s() {
    for (name, form) in forms() {
        let dir = tempfile::tempdir().unwrap();
        let from = model(dir.path(), &form["config"]);
        let policy = load(&from);
        compare(&name, &policy, &form["logprobs"], LENGTH);
        compare_numbers(&format!("{name}, decoded"), &decoded(&policy), &form["logprobs"], 2e-4);
        // What is saved is read as the same by whoever reads it.
        let again = dir.path().join("again");
        policy.save(&again, |_| Ok::<_, std::io::Error>(())).unwrap();
        assert_eq!(logprobs(&load(&again), LENGTH), logprobs(&policy, LENGTH), "{name}");
        for (key, value) in form["config"].as_object().unwrap() {
            assert_eq!(read(&again.join("config.json"))[key], *value, "{name}");
        }
        let inspected = Inspection::of(&again).unwrap();
        assert_eq!(inspected.config, *load(&again).config(), "{name}");
        let narrow = Policy::load(&from, Precision::Bf16, &Device::flex()).unwrap();
        compare_numbers(&format!("{name}, bf16, decoded"), &decoded(&narrow), &form["logprobs"], 0.25);
        compare_numbers(&format!("{name}, bf16"), &logprobs(&narrow, LENGTH), &form["logprobs"], 0.25);
    }
}

/// The norm of a gradient, and its product with the script's probe.
fn of_gradient(gradient: &[f32]) -> [f64; 2] {
    let norm = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    let probe = gradient.iter().enumerate().map(|(i, &g)| f64::from(g) * (i as f64 + 1.0).sin());
    [norm, probe.sum()]
}

#[test]
fn gradients_are_the_reference_s() {
    for (name, form) in forms() {
        let dir = tempfile::tempdir().unwrap();
        let policy = load(&model(dir.path(), &form["config"]));
        let gradients = gradients_with(&policy, LENGTH, Activations::Keep);
        let again = gradients_with(&policy, LENGTH, Activations::Recompute);
        if policy.config().sliding.is_none() {
            assert_eq!(gradients, again, "{name}");
        }
        // The plain operations of a window add gradients in an order of their own.
        for (parameter, (kept, again)) in policy.parameters().iter().zip(gradients.iter().zip(&again)) {
            let apart = kept.iter().zip(again).map(|(a, b)| a - b).collect::<Vec<_>>();
            let near = of_gradient(&apart)[0] <= 1e-5 * of_gradient(kept)[0] + 1e-6;
            assert!(near, "{name}, {}: {apart:?}", parameter.name);
        }
        let expected: BTreeMap<String, [f64; 2]> = serde_json::from_value(form["gradients"].clone()).unwrap();
        assert_eq!(gradients.len(), expected.len(), "{name}");
        for (parameter, gradient) in policy.parameters().iter().zip(&gradients) {
            let (found, expected) = (of_gradient(gradient), expected[&parameter.name]);
            for (found, of) in found.iter().zip(expected) {
                let apart = (found - of).abs();
                let near = apart < 1e-4 * expected[0] + 1e-5;
                assert!(near, "{name}, {}: {found}, and the reference has {of}", parameter.name);
            }
        }
    }
}

#[test]
fn adapters_are_the_reference_s() {
    for (name, form) in forms().into_iter().filter(|(_, form)| form.get("adapter").is_some()) {
        let (dir, of) = (tempfile::tempdir().unwrap(), &form["adapter"]);
        let mut config = of["config"].clone();
        let base = model(dir.path(), &form["config"]);
        let from = adapter(dir.path(), &config, &of["tensors"]);
        config["base_model_name_or_path"] = json!(base);
        fs::write(from.join("adapter_config.json"), config.to_string()).unwrap();
        let policy = load(&from);
        compare(&name, &policy, &of["logprobs"], LENGTH);
        compare_numbers(&format!("{name}, decoded"), &decoded(&policy), &of["logprobs"], 2e-4);
        compare(&name, &policy.merged(), &of["logprobs"], LENGTH);
    }
}

#[test]
fn fresh_adapters_and_a_critic_are_trained() {
    for (name, form) in forms() {
        let dir = tempfile::tempdir().unwrap();
        let base = load(&model(dir.path(), &form["config"]));
        let policy = base.clone().with_lora(&LoraConfig::default(), 1).unwrap();
        assert_eq!(logprobs(&policy, LENGTH), logprobs(&base, LENGTH), "{name}: B is 0 at first");
        // So that only A has no gradient.
        let moved = |of: &Vec<f32>| of.iter().any(|&g| g != 0.0);
        // A token that sees itself alone weighs it by 1, whatever its query and key are.
        let weighed_by_one = if name.contains("window of one") { 2 * 2 } else { 0 };
        let gradients = gradients_with(&policy, LENGTH, Activations::Keep);
        let moving = gradients.iter().filter(|of| moved(of)).count();
        assert_eq!(moving + weighed_by_one, gradients.len() / 2, "{name}");
        let (adapters, critic) = (dir.path().join("adapters"), dir.path().join("critic"));
        policy.save(&adapters, |_| Ok::<_, std::io::Error>(())).unwrap();
        assert_eq!(logprobs(&load(&adapters), LENGTH), logprobs(&base, LENGTH), "{name}");
        Critic::of(&base).save(&critic, |_| Ok::<_, std::io::Error>(())).unwrap();
        let again = Critic::load(&critic, Precision::F32, &Device::flex()).unwrap();
        assert_eq!(again.parameters(), Critic::of(&base).parameters(), "{name}");
    }
}

#[test]
fn a_sequence_is_what_it_is_alone_whatever_is_longer_than_the_window_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let policy = load(&model(dir.path(), &forms()["gemma3, a window"]["config"]));
    let hidden = |packing: Packing, ids: Vec<u32>| vec(policy.decoder().hidden(ids.into(), &packing.into()));
    let (short, long) = (row(4), row(LENGTH));
    let mut packing = Packing::new();
    let prompt = packing.push(short.len(), None);
    packing.push(long.len(), None);
    // A reply that sees the end of its prompt, by blocks of more than one.
    packing.push(70, Some(prompt));
    let reply: Vec<u32> = row(74)[4..].to_vec();
    let together = hidden(packing, [short.clone(), long.clone(), reply].concat());
    let width = policy.config().hidden_size;
    assert_eq!(together[..4 * width], hidden(Packing::single(4), short));
    assert_eq!(together[4 * width..28 * width], hidden(Packing::single(24), long));
    let whole = hidden(Packing::single(74), row(74));
    for (found, expected) in together[28 * width..].iter().zip(&whole[4 * width..]) {
        assert!((found - expected).abs() < 1e-4, "{found}, and {expected} without a shared prompt");
    }
}

/// What `same_model.py` exits with where Python has no transformers.
const NO_TRANSFORMERS: i32 = 77;

#[test]
fn transformers_reads_what_is_saved_without_a_difference() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/same_model.py");
    let python = std::env::var_os("TOOLRL_PYTHON").unwrap_or_else(|| "python3".into());
    for (name, form) in forms().into_iter().filter(|(_, form)| form.get("adapter").is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let (from, saved) = (model(dir.path(), &form["config"]), dir.path().join("saved"));
        load(&from).save(&saved, |_| Ok::<_, std::io::Error>(())).unwrap();
        let run = Command::new(&python).arg(&script).args([from, saved]).output();
        match run.as_ref().map(|run| run.status.code()) {
            Ok(Some(0)) => {}
            Err(_) | Ok(Some(NO_TRANSFORMERS)) => {
                eprintln!("skipped: {} has no transformers", python.display());
                return;
            }
            _ => panic!("{name}: {run:?}"),
        }
    }
}

#[test]
fn settings_that_are_refused_by_name() {
    let all = forms();
    for (form, over, named) in [
        ("smollm3", json!({"use_sliding_window": true, "sliding_window": 8}), "use_sliding_window"),
        ("smollm3", json!({"layer_types": ["sliding_attention"]}), "layer_types"),
        ("smollm3", json!({"no_rope_layers": [1, 0, 1, 1]}), "no_rope_layers"),
        ("smollm3", json!({"no_rope_layers": "1"}), "no_rope_layers"),
        ("smollm3", json!({"no_rope_layer_interval": 0}), "no_rope_layer_interval"),
        ("smollm3", json!({"mlp_bias": true}), "mlp_bias"),
        ("smollm3", json!({"hidden_act": "relu2"}), "hidden_act"),
        ("granite", json!({"mlp_bias": true}), "mlp_bias"),
        ("granite", json!({"logits_scaling": 0}), "logits_scaling"),
        ("granite", json!({"attention_multiplier": "none"}), "attention_multiplier"),
        ("granite", json!({"model_type": "granitemoehybrid"}), "granite, gemma3_text"),
        ("gemma3", json!({"hidden_activation": "gelu"}), "hidden_activation"),
        ("gemma3", json!({"final_logit_softcapping": 30.0}), "final_logit_softcapping"),
        ("gemma3", json!({"attn_logit_softcapping": 50.0}), "attn_logit_softcapping"),
        ("gemma3", json!({"use_bidirectional_attention": true}), "use_bidirectional_attention"),
        ("gemma3", json!({"layer_types": ["sliding_attention"]}), "layer_types"),
        ("gemma3", json!({"layer_types": vec!["chunked_attention"; 7]}), "layer_types"),
        ("gemma3", json!({"sliding_window": null}), "sliding_window"),
        ("gemma3", json!({"sliding_window_pattern": 0}), "sliding_window_pattern"),
        ("gemma3", json!({"rope_parameters": {"rope_type": "default"}}), "rope_parameters.rope_type"),
        ("gemma3", json!({"rope_parameters": {"full_attention": 3}}), "rope_parameters.full_attention"),
        ("gemma3", json!({"rope_local_base_freq": -1}), "rope_theta"),
        ("gemma3", json!({"query_pre_attn_scalar": "none"}), "query_pre_attn_scalar"),
        ("gemma3", json!({"model_type": "gemma3"}), "gemma3_text"),
        (
            "granite",
            json!({"model_type": null, "architectures": ["GraniteMoeForCausalLM"]}),
            "GraniteForCausalLM",
        ),
    ] {
        let mut config = all[form]["config"].clone();
        for (key, value) in over.as_object().unwrap() {
            config[key] = value.clone();
        }
        let message = ModelConfig::from_value(config).unwrap_err().to_string();
        assert!(message.contains(named), "{over}: {message}");
    }
}
