//! Adapters: what they compute, what they train, and their files.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use serde_json::{Value, json};
use toolrl_policy::{
    Activations, Derivatives, Generation, Heads, Ids, LoraConfig, ModelConfig, Packing, Pass, PassSettings,
    Policy, Precision,
};

fn config() -> LoraConfig {
    LoraConfig {
        rank: 3,
        alpha: 6.0,
        dropout: 0.0,
        target_modules: ["q_proj", "v_proj", "down_proj"].map(str::to_owned).to_vec(),
    }
}

fn base() -> Policy {
    let config = ModelConfig::tiny(32, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 1, &Device::flex())
}

/// Adapters that change something.
fn adapted(config: &LoraConfig) -> Policy {
    let mut policy = base().with_lora(config, 2).unwrap();
    let mut n = 0;
    policy.update(|_, values| {
        for value in values {
            n += 1;
            *value += 0.05 * f32::sin(n as f32);
        }
    });
    policy
}

fn pass() -> Pass {
    let mut packing = Packing::new();
    let prompt = packing.push(4, None);
    packing.push(3, Some(prompt));
    Pass {
        tokens: Ids::new((3..10).collect()),
        packing: packing.into(),
        rows: vec![3, 4, 5, 6].into(),
        targets: vec![7, 8, 9, 1].into(),
    }
}

fn logp(policy: &Policy) -> Vec<f32> {
    policy.logprobs(&pass(), 1.0).narrow(0, 0, 1).into_data().try_into_vec_as().unwrap()
}

fn gradients(policy: &Policy, activations: Activations, seed: u64) -> Vec<Vec<f32>> {
    let settings = PassSettings { inverse_temperature: 1.0, activations, seed };
    let loss = |logp: &[f32], _: &[f32]| {
        Ok::<_, Infallible>(Derivatives { by_logp: vec![1.0; logp.len()], by_entropy: Vec::new() })
    };
    policy.gradients(&pass(), &settings, loss).unwrap().into_values()
}

#[test]
fn fresh_adapters_change_nothing_and_add_their_parameters() {
    let (base, fresh) = (base(), base().with_lora(&config(), 2).unwrap());
    assert_eq!(logp(&base), logp(&fresh));
    // Two layers; q: 16 to 16, v: 16 to 8, down: 48 to 16.
    let added = 2 * 3 * ((16 + 16) + (16 + 8) + (48 + 16));
    assert_eq!(fresh.num_params() - base.num_params(), added);
    assert_eq!(base.config().lora_params(&(&config()).into()), added as u64);
    assert_eq!(gradients(&fresh, Activations::Keep, 0).iter().map(Vec::len).sum::<usize>(), added);
}

#[test]
fn gradients_are_the_differences_of_the_loss() {
    let policy = adapted(&config());
    let gradients = gradients(&policy, Activations::Keep, 0);
    let sum = |policy: &Policy| logp(policy).iter().map(|&l| f64::from(l)).sum::<f64>();
    for (parameter, gradient) in gradients.iter().enumerate() {
        let moved = |by: f32| {
            let mut policy = policy.clone();
            policy.update(|i, values| {
                if i == parameter {
                    values[5] += by;
                }
            });
            sum(&policy)
        };
        let step = 1e-2;
        let difference = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let got = f64::from(gradient[5]);
        assert!(
            (got - difference).abs() < 2e-3 * (1.0 + difference.abs()),
            "{parameter}: {got} {difference}"
        );
    }
}

#[test]
fn the_base_is_frozen_and_comes_back() {
    let policy = adapted(&config());
    assert_ne!(logp(&policy), logp(&base()));
    assert_eq!(policy.without_lora().parameters(), base().parameters());
    assert_eq!(logp(&policy.without_lora()), logp(&base()));
}

#[test]
fn merging_keeps_the_numbers() {
    let policy = adapted(&config());
    let merged = policy.merged();
    assert_eq!(merged.num_params(), base().num_params());
    for (a, b) in logp(&policy).iter().zip(logp(&merged)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn dropout_follows_from_the_seed_whatever_is_kept() {
    let policy = adapted(&LoraConfig { dropout: 0.5, ..config() });
    let keep = |seed| gradients(&policy, Activations::Keep, seed);
    assert_eq!(keep(1), keep(1));
    assert_ne!(keep(1), keep(2));
    assert_eq!(keep(1), gradients(&policy, Activations::Recompute, 1));
    // The sampler and the reference drop nothing.
    assert_eq!(logp(&policy), logp(&adapted(&config())));
}

/// Saves base and adapters below `dir`; returns the adapters' directory.
fn save(dir: &Path) -> std::path::PathBuf {
    let (whole, adapters) = (dir.join("base"), dir.join("adapters"));
    base().save(&whole, |_| Ok::<_, std::io::Error>(())).unwrap();
    let mut policy =
        Policy::load(&whole, Precision::F32, &Device::flex()).unwrap().with_lora(&config(), 2).unwrap();
    policy.update(|i, values| values.iter_mut().for_each(|v| *v += 0.01 * i as f32));
    policy.save(&adapters, |_| Ok::<_, std::io::Error>(())).unwrap();
    let again = Policy::load(&adapters, Precision::F32, &Device::flex()).unwrap();
    assert_eq!((again.lora().unwrap().rank, again.lora().unwrap().alpha), (3, 6.0));
    assert_eq!(again.parameters(), policy.parameters());
    adapters
}

/// Adapters name the directory of their base, and a merged policy lies in none until it is saved.
#[test]
fn adapters_beside_merged_weights_are_saved_once_these_are() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, further) = (dir.path().join("whole"), dir.path().join("further"));
    let nothing = |_: &Path| Ok::<_, std::io::Error>(());
    let merged = Policy::load(&save(dir.path()), Precision::F32, &Device::flex()).unwrap().merged();
    let refused = merged.clone().with_lora(&config(), 3).unwrap().save(&further, nothing).unwrap_err();
    assert!(refused.to_string().contains("save the merged policy"), "{refused}");
    merged.save(&whole, nothing).unwrap();
    let mut policy =
        Policy::load(&whole, Precision::F32, &Device::flex()).unwrap().with_lora(&config(), 3).unwrap();
    policy.update(|i, values| values.iter_mut().for_each(|v| *v += 0.01 * i as f32));
    policy.save(&further, nothing).unwrap();
    let again = Policy::load(&further, Precision::F32, &Device::flex()).unwrap();
    assert_eq!(logp(&again), logp(&policy));
    assert_ne!(logp(&again), logp(&merged));
}

#[test]
fn files_are_those_of_peft() {
    let dir = tempfile::tempdir().unwrap();
    let adapters = save(dir.path());
    let config: Value =
        serde_json::from_slice(&fs::read(adapters.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["peft_type"], &config["r"], &config["lora_alpha"]),
        (&json!("LORA"), &json!(3), &json!(6.0))
    );
    let bytes = fs::read(adapters.join("adapter_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = |m: &str| format!("base_model.model.model.layers.1.mlp.down_proj.lora_{m}.weight");
    assert_eq!(file.tensor(&name("A")).unwrap().shape(), [3, 48]);
    assert_eq!(file.tensor(&name("B")).unwrap().shape(), [16, 3]);
    assert_eq!(file.names().len(), 12);
}

#[test]
fn broken_adapters_are_refused_by_name() {
    let broken = |key: &str, value: Value| {
        let dir = tempfile::tempdir().unwrap();
        let path = save(dir.path()).join("adapter_config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        fs::write(&path, config.to_string()).unwrap();
        Policy::load(path.parent().unwrap(), Precision::F32, &Device::flex()).unwrap_err().to_string()
    };
    for (key, value, names) in [
        ("use_dora", json!(true), "q_proj.lora_magnitude_vector"),
        ("peft_type", json!("IA3"), "peft_type"),
        ("r", json!(4), "expected [4, 16]"),
        ("r", json!("many"), "adapter_config.json"),
        ("target_modules", json!(["q_proj", "k_proj"]), "k_proj.lora_A.weight"),
        ("target_modules", json!(["lm_head"]), "lm_head"),
        ("rank_pattern", json!({"q_proj": 2}), "q_proj.lora_A.weight is [3, 16], expected [2, 16]"),
        ("base_model_name_or_path", json!("/none/such"), "/none/such"),
        ("base_model_name_or_path", json!(null), "base_model_name_or_path"),
    ] {
        let message = broken(key, value);
        assert!(message.contains(names), "{message}");
    }
    for wrong in [
        LoraConfig { rank: 0, ..config() },
        LoraConfig { dropout: 1.0, ..config() },
        LoraConfig { alpha: f64::NAN, ..config() },
        LoraConfig { target_modules: vec!["wq".to_owned()], ..config() },
    ] {
        assert!(base().with_lora(&wrong, 1).is_err(), "{wrong:?}");
    }
    assert!(adapted(&config()).with_lora(&config(), 1).is_err());
}
