//! A model directory that transformers and other engines read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::{Dtype, View};
use serde_json::{Value, json};

use crate::policy::{Parameter, Policy};
use crate::precision::StoredType;
use crate::{PolicyError, lora};

/// Bytes of weights that a file holds at most, unless a single tensor has more.
const SHARD_BYTES: usize = 5_000_000_000;

/// Writes config, generation config and weights of the type, or the adapters alone. The directory appears whole or not at all: it is
/// filled under another name and then renamed.
pub(crate) fn save(
    policy: &Policy,
    stored: StoredType,
    dir: &Path,
    companions: impl FnOnce(&Path) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let partial = beside(dir, "partial");
    remove(&partial)?;
    let saved = fill(policy, stored, &partial, companions).and_then(|()| replace(dir, &partial));
    if saved.is_err() {
        // The disk may be full. The first error is the one to tell.
        let _ = remove(&partial);
    }
    saved
}

fn fill(
    policy: &Policy,
    stored: StoredType,
    partial: &Path,
    companions: impl FnOnce(&Path) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PolicyError::Write { path, source }
    };
    std::fs::create_dir_all(partial).map_err(failed(partial))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = partial.join(name);
        std::fs::write(&path, bytes).map_err(failed(&path))
    };
    companions(partial)?;
    if let Some(lora) = policy.lora() {
        return lora::save(policy, lora, partial);
    }
    write("config.json", pretty(&config(policy, stored)).as_bytes())?;
    let generation = policy.generation().file();
    write("generation_config.json", pretty(&generation).as_bytes())?;
    let known: HashSet<String> =
        policy.config().parameter_shapes().into_iter().map(|(name, _)| name).collect();
    let parameters = policy.stored_parameters();
    if let Some(other) = parameters.iter().find(|p| !known.contains(&p.name)) {
        return Err(PolicyError::Lora(format!(
            "{}: a model of this family cannot be saved with it",
            other.name
        )));
    }
    let parameters = parameters.into_iter().map(|p| p.stored_as(stored));
    let shards = shards(parameters.collect(), SHARD_BYTES);
    if shards.len() > 1 {
        write("model.safetensors.index.json", pretty(&index(&shards)).as_bytes())?;
    }
    for (i, shard) in shards.iter().enumerate() {
        write_tensors(shard, &partial.join(file_name(i, shards.len())))?;
    }
    Ok(())
}

/// Puts a filled directory in the place of another, which is removed.
fn replace(dir: &Path, partial: &Path) -> Result<(), PolicyError> {
    let failed = |source| PolicyError::Write { path: dir.to_owned(), source };
    if !dir.exists() {
        return std::fs::rename(partial, dir).map_err(failed);
    }
    if exchange(partial, dir).is_ok() {
        return remove(partial);
    }
    let old = beside(dir, "old");
    remove(&old)?;
    std::fs::rename(dir, &old).map_err(failed)?;
    std::fs::rename(partial, dir).map_err(failed)?;
    remove(&old)
}

/// Lets two directories change names, so that there is no moment without either. Not every system and
/// file system can.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
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

/// The configuration with the type of the saved weights, under each name that it has.
fn config(policy: &Policy, stored: StoredType) -> Value {
    let mut raw = policy.config().raw.clone();
    if let Some(keys) = raw.as_object_mut() {
        let new = keys.contains_key("dtype").then_some("dtype");
        let old = (new.is_none() || keys.contains_key("torch_dtype")).then_some("torch_dtype");
        for key in [new, old].into_iter().flatten() {
            keys.insert(key.to_owned(), json!(stored.torch_name()));
        }
    }
    raw
}

/// The parameters in their order, cut into files of at most `limit` bytes.
fn shards(parameters: Vec<Parameter>, limit: usize) -> Vec<Vec<Parameter>> {
    let mut shards = vec![Vec::new()];
    let mut bytes = 0;
    for parameter in parameters {
        let size = parameter.bytes();
        if bytes > 0 && bytes + size > limit {
            shards.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(shard) = shards.last_mut() {
            shard.push(parameter);
        }
    }
    shards
}

fn file_name(shard: usize, of: usize) -> String {
    match of {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{of:05}.safetensors", shard + 1),
    }
}

/// Which file has which tensor.
fn index(shards: &[Vec<Parameter>]) -> Value {
    let files = shards.iter().enumerate().flat_map(|(i, shard)| {
        let file = file_name(i, shards.len());
        shard.iter().map(move |p| (p.name.clone(), Value::from(file.clone())))
    });
    let total: usize = shards.iter().flatten().map(Parameter::bytes).sum();
    json!({ "metadata": { "total_size": total }, "weight_map": files.collect::<serde_json::Map<_, _>>() })
}

/// Parameters to one safetensors file, with the metadata that transformers asks for.
pub(crate) fn write_tensors(parameters: &[Parameter], path: &Path) -> Result<(), PolicyError> {
    let failed = |source| PolicyError::Write { path: path.to_owned(), source };
    // The library makes a private file of its own where there is none; one that is there keeps the
    // permissions of this user's files.
    std::fs::File::create(path).map_err(failed)?;
    let permissions = std::fs::metadata(path).map_err(failed)?.permissions();
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = parameters.iter().map(|p| (p.name.as_str(), Floats(p)));
    safetensors::serialize_to_file(views, Some(metadata), path)
        .map_err(|e| failed(std::io::Error::other(e)))?;
    std::fs::set_permissions(path, permissions).map_err(failed)
}

/// A parameter whose values are read when they are written.
struct Floats<'a>(&'a Parameter);

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        self.0.stored.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.0.values().into_iter();
        Cow::Owned(match self.0.stored {
            StoredType::F32 => values.flat_map(f32::to_le_bytes).collect(),
            StoredType::Bf16 => values.flat_map(|v| bf16::from_f32(v).to_le_bytes()).collect(),
            StoredType::F16 => values.flat_map(|v| f16::from_f32(v).to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_whole_tensors_up_to_the_limit() {
        let parameter =
            |elements: usize| Parameter::new(elements.to_string(), vec![elements], StoredType::F32, Vec::new);
        let cut = |limit| {
            let shards = shards([3, 1, 9, 2, 2].map(parameter).into(), limit);
            shards.iter().map(|s| s.iter().map(|p| p.shape[0]).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(cut(1000), [vec![3, 1, 9, 2, 2]]);
        assert_eq!(cut(16), [vec![3, 1], vec![9], vec![2, 2]]);
        assert_eq!(cut(1), [[3], [1], [9], [2], [2]]);
    }

    #[test]
    fn a_directory_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("policy"), dir.path().join("policy.partial"));
        for (path, text) in [(&old, "old"), (&new, "new")] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("file"), text).unwrap();
        }
        replace(&old, &new).unwrap();
        assert_eq!(std::fs::read_to_string(old.join("file")).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::rename(&old, &new).unwrap();
        replace(&old, &new).unwrap();
        assert!(old.join("file").exists() && !new.exists());
    }

    #[test]
    fn the_index_names_every_tensor() {
        let parameter =
            |name: &str| Parameter::new(name.to_owned(), vec![2], StoredType::F32, || vec![0.0; 2]);
        let index = index(&shards(vec![parameter("a"), parameter("b")], 8));
        let expected = json!({
            "metadata": { "total_size": 16 },
            "weight_map": { "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors" },
        });
        assert_eq!(index, expected);
    }
}
