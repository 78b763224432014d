//! A model directory that transformers and other engines read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};
use serde_json::{Value, json};

use crate::PolicyError;
use crate::policy::{ParameterValues, Policy};

/// Writes config, generation config and weights. The directory appears whole or not at all: it is
/// filled under another name and then renamed.
pub(crate) fn save(
    policy: &Policy,
    dir: &Path,
    companions: impl FnOnce(&Path) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PolicyError::Write { path, source }
    };
    let partial = beside(dir, "partial");
    remove(&partial)?;
    std::fs::create_dir_all(&partial).map_err(failed(&partial))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = partial.join(name);
        std::fs::write(&path, bytes).map_err(failed(&path))
    };
    companions(&partial)?;
    write("config.json", pretty(&f32_config(policy)).as_bytes())?;
    let generation = json!({ "eos_token_id": policy.generation().stop_tokens });
    write("generation_config.json", pretty(&generation).as_bytes())?;
    let file = partial.join("model.safetensors");
    weights(&policy.parameters(), &file)?;
    // The weights' writer makes a private file; the others show what a file of this user may be.
    let permissions = std::fs::metadata(partial.join("config.json")).map_err(failed(&file))?.permissions();
    std::fs::set_permissions(&file, permissions).map_err(failed(&file))?;

    let old = beside(dir, "old");
    remove(&old)?;
    if dir.exists() {
        std::fs::rename(dir, &old).map_err(failed(dir))?;
    }
    std::fs::rename(&partial, dir).map_err(failed(dir))?;
    remove(&old)
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

fn remove(dir: &Path) -> Result<(), PolicyError> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(PolicyError::Write { path: dir.to_owned(), source: e })
        }
        _ => Ok(()),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The configuration with the type of the saved weights.
fn f32_config(policy: &Policy) -> Value {
    let mut raw = policy.config().raw.clone();
    if let Some(keys) = raw.as_object_mut() {
        let key = if keys.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        keys.insert(key.to_owned(), json!("float32"));
    }
    raw
}

/// Parameters to one safetensors file, with the metadata that transformers asks for.
fn weights(parameters: &[ParameterValues], path: &Path) -> Result<(), PolicyError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = parameters.iter().map(|p| (p.name.as_str(), Floats(p)));
    safetensors::serialize_to_file(views, Some(metadata), path)
        .map_err(|e| PolicyError::Write { path: path.to_owned(), source: std::io::Error::other(e) })
}

struct Floats<'a>(&'a ParameterValues);

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.0.values.len() * 4
    }
}
