//! Adapters in the form of the PEFT library: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::AdapterConfig;
use super::tensors::AdapterTensors;
use crate::config::read_json;
use crate::policy::{Parameter, Policy};
use crate::weights::{has_weights, write_tensors};
use crate::{PolicyError, PolicyPlace};

pub(crate) const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// Whether a directory holds adapters, with a whole model beside them or not.
pub(crate) fn is_adapter(dir: &Path) -> bool {
    dir.join(CONFIG).exists()
}

/// Writes the adapters to a directory that is there. Those beside merged weights are refused: no directory that they could
/// name has these.
pub(crate) fn save(policy: &Policy, lora: &AdapterConfig, dir: &Path) -> Result<(), PolicyError> {
    if policy.merged {
        let why = "the adapters are beside merged weights that were not saved: save the merged policy, read it and add \
                   adapters to that";
        return Err(PolicyError::Lora(why.to_owned()));
    }
    let mut config = lora.raw.clone();
    config["base_model_name_or_path"] = json!(policy.source().map(|p| p.display().to_string()));
    config["inference_mode"] = json!(true);
    let path = dir.join(CONFIG);
    std::fs::write(&path, format!("{config:#}\n")).map_err(|source| PolicyError::Write { path, source })?;
    let renamed = |mut p: Parameter| {
        let (layer, matrix) = p.name.split_once(".lora.lora_")?;
        let matrix = if matrix == "a" { 'A' } else { 'B' };
        p.name = format!("base_model.model.{layer}.lora_{matrix}.weight");
        Some(p)
    };
    let tensors: Vec<_> = policy.stored_parameters().into_iter().filter_map(renamed).collect();
    write_tensors(&tensors, &dir.join(WEIGHTS))
}

/// The settings of an adapter's directory and the base model's directory: the one that the settings name, or the same
/// where a whole model is in it, as transformers' `AutoModelForCausalLM` reads it.
pub(crate) fn header(dir: &Path) -> Result<(AdapterConfig, PathBuf), PolicyError> {
    let path = dir.join(CONFIG);
    let raw = read_json(&path)?;
    let named = raw.get("base_model_name_or_path").and_then(Value::as_str).map(PathBuf::from);
    let config = AdapterConfig::read(raw, &path)?;
    if dir.join("config.json").exists() && has_weights(dir) {
        let (dir_shown, file) = (dir.display(), CONFIG);
        match named.filter(|base| std::fs::canonicalize(base).ok() != std::fs::canonicalize(dir).ok()) {
            Some(base) => tracing::warn!(
                "{dir_shown}: its adapters are applied to the model in it, and not to {} of {file}",
                base.display()
            ),
            None => tracing::warn!("{dir_shown}: its adapters are applied to the model in it"),
        }
        return Ok((config, dir.to_owned()));
    }
    match named {
        Some(base) => Ok((config, base)),
        None => {
            let message = "base_model_name_or_path should be the base model's directory".to_owned();
            Err(PolicyError::Json { path, message })
        }
    }
}

/// Reads an adapter's directory and the base model that it names.
pub(crate) fn load(
    place: &PolicyPlace,
    base: impl FnOnce(&Path) -> Result<Policy, PolicyError>,
) -> Result<Policy, PolicyError> {
    let dir = place.dir.as_path();
    let (config, named) = header(dir)?;
    let base = base(place.base.as_deref().unwrap_or(&named))?;
    let mut tensors = AdapterTensors::read(dir)?;
    let policy = if config.is_trained() {
        base.with_adapters(config, |path, a, b| tensors.pair(path, a, b))?
    } else {
        base.with_adapters_within(&config, &mut tensors, &dir.join(CONFIG))?
    };
    tensors.done(dir).map(|()| policy)
}
