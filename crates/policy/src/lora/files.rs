//! Adapters in the form of the PEFT library: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::LoraConfig;
use crate::PolicyError;
use crate::config::read_json;
use crate::policy::{Parameter, Policy};
use crate::weights::{read_tensors, write_tensors};

pub(crate) const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// PEFT's name of A or B of a linear layer.
fn peft_name(layer: &str, matrix: char) -> String {
    format!("base_model.model.{layer}.lora_{matrix}.weight")
}

/// Writes the adapters to a directory that is there.
pub(crate) fn save(policy: &Policy, lora: &LoraConfig, dir: &Path) -> Result<(), PolicyError> {
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": policy.source().map(|p| p.display().to_string()),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": lora.target_modules,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "use_dora": false,
        "use_rslora": false,
        "modules_to_save": null,
    });
    let path = dir.join(CONFIG);
    std::fs::write(&path, format!("{config:#}\n")).map_err(|source| PolicyError::Write { path, source })?;
    let renamed = |mut p: Parameter| {
        let (layer, matrix) = p.name.split_once(".lora.lora_")?;
        p.name = peft_name(layer, if matrix == "a" { 'A' } else { 'B' });
        Some(p)
    };
    let tensors: Vec<_> = policy.stored_parameters().into_iter().filter_map(renamed).collect();
    write_tensors(&tensors, &dir.join(WEIGHTS))
}

/// The settings of an adapter's directory and the base model's directory.
pub(crate) fn header(dir: &Path) -> Result<(LoraConfig, PathBuf), PolicyError> {
    let path = dir.join(CONFIG);
    let raw = read_json(&path)?;
    let config = config(&raw, &path)?;
    match raw.get("base_model_name_or_path").and_then(Value::as_str) {
        Some(base) => Ok((config, base.into())),
        None => {
            let message = "base_model_name_or_path should be the base model's directory".to_owned();
            Err(PolicyError::Json { path, message })
        }
    }
}

/// Reads an adapter's directory and the base model that it names.
pub(crate) fn load(
    dir: &Path,
    base: impl FnOnce(&Path) -> Result<Policy, PolicyError>,
) -> Result<Policy, PolicyError> {
    let (config, base_dir) = header(dir)?;
    let base = base(&base_dir)?;
    let mut tensors = read_tensors(&dir.join(WEIGHTS))?;
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    let mut take = |name: String, shape: [usize; 2]| {
        let zeros = || vec![0.0; shape[0] * shape[1]];
        match tensors.remove(&name) {
            Some((found, values)) if found == shape => values,
            Some((found, _)) => {
                wrong.push(format!("{name} is {found:?}, expected {shape:?}"));
                zeros()
            }
            None => {
                missing.push(name);
                zeros()
            }
        }
    };
    let policy = base.with_adapters(&config, |layer, a, b| {
        (take(peft_name(layer, 'A'), a), take(peft_name(layer, 'B'), b))
    })?;
    if tensors.is_empty() && missing.is_empty() && wrong.is_empty() {
        return Ok(policy);
    }
    let unexpected = tensors.into_keys().collect();
    Err(PolicyError::Weights { dir: dir.to_owned(), missing, unexpected, wrong })
}

/// The settings in `adapter_config.json`; an option that would change the numbers and is not built here is
/// refused by name.
fn config(raw: &Value, path: &Path) -> Result<LoraConfig, PolicyError> {
    let unsupported = |option: &str, value: &Value, supported| PolicyError::Unsupported {
        path: path.to_owned(),
        option: option.to_owned(),
        value: value.to_string(),
        supported,
    };
    let refused: [(&str, Value, &'static str); 6] = [
        ("peft_type", json!("LORA"), "LORA"),
        ("bias", json!("none"), "none"),
        ("use_dora", json!(false), "false"),
        ("use_rslora", json!(false), "false"),
        ("fan_in_fan_out", json!(false), "false"),
        ("modules_to_save", json!(null), "null"),
    ];
    for (option, fine, supported) in refused {
        match raw.get(option) {
            Some(value) if *value != fine && !value.is_null() => {
                return Err(unsupported(option, value, supported));
            }
            _ => {}
        }
    }
    let patterns = |key: &str| raw.get(key).filter(|v| v.as_object().is_some_and(|o| !o.is_empty()));
    for key in ["rank_pattern", "alpha_pattern"] {
        if let Some(value) = patterns(key) {
            return Err(unsupported(key, value, "one rank and alpha for all"));
        }
    }
    let keys = json!({
        "rank": raw.get("r"),
        "alpha": raw.get("lora_alpha"),
        "dropout": raw.get("lora_dropout").unwrap_or(&json!(0.0)),
        "target_modules": raw.get("target_modules"),
    });
    serde_json::from_value(keys).map_err(|e| PolicyError::Json {
        path: path.to_owned(),
        message: format!("r, lora_alpha, lora_dropout or target_modules: {e}"),
    })
}
