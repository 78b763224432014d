//! Models by their name on the Hugging Face Hub: `ORG/NAME` where a directory can be given.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo};
use serde_json::Value;

use crate::progress::Download;

/// Files of a model that are read, beside its weights.
const FILES: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];
/// One file with all weights.
const WEIGHTS: &str = "model.safetensors";
/// Which of several files has which weights.
const INDEX: &str = "model.safetensors.index.json";

/// The directory of a policy: the path itself where it is one, else that of the model of this name on the
/// Hub, from the local cache where it is whole there, and downloaded into it otherwise. `HF_HOME` and
/// `HF_ENDPOINT` say where, as for other programs.
pub(crate) fn directory(policy: &Path) -> anyhow::Result<PathBuf> {
    let Some(name) = policy.to_str().filter(|name| !policy.exists() && is_name(name)) else {
        return Ok(policy.to_owned());
    };
    let cached = Cache::from_env().model(name.to_owned()).get("config.json");
    if let Some(dir) = cached.as_deref().and_then(Path::parent).filter(|dir| is_whole(dir)) {
        return Ok(dir.to_owned());
    }
    download(name)
        .with_context(|| format!("{name} is no directory here and cannot be had from the Hugging Face Hub"))
}

/// Whether this could be a model's name: `ORG/NAME`.
fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    matches!(name.split_once('/'), Some((org, name)) if part(org) && part(name))
}

/// Whether a directory has a model's configuration and all its weights.
fn is_whole(dir: &Path) -> bool {
    let has = |name: &str| dir.join(name).exists();
    let shards = std::fs::read(dir.join(INDEX)).ok().and_then(|index| shards(&index).ok());
    has("config.json") && (has(WEIGHTS) || shards.is_some_and(|shards| shards.iter().all(|s| has(s))))
}

/// The files that an index names.
fn shards(index: &[u8]) -> anyhow::Result<Vec<String>> {
    let index: Value = serde_json::from_slice(index).with_context(|| INDEX.to_owned())?;
    let map = index.get("weight_map").and_then(Value::as_object);
    let map = map.with_context(|| format!("{INDEX} has no weight_map"))?;
    let mut files: Vec<_> = map.values().filter_map(Value::as_str).map(str::to_owned).collect();
    files.sort_unstable();
    files.dedup();
    match files.iter().find(|file| Path::new(file).file_name() != Some(file.as_ref())) {
        Some(file) => bail!("{INDEX} names {file:?}, which is no file of the model"),
        None => Ok(files),
    }
}

fn download(name: &str) -> anyhow::Result<PathBuf> {
    let model = Model {
        remote: ApiBuilder::from_env().with_progress(false).build()?.model(name.to_owned()),
        local: Cache::from_env().model(name.to_owned()),
    };
    let listed: Vec<_> = model.remote.info()?.siblings.into_iter().map(|file| file.rfilename).collect();
    let has = |name: &str| listed.iter().any(|file| file == name);
    let config = model.file("config.json")?;
    for file in FILES.into_iter().skip(1).filter(|file| has(file)) {
        model.file(file)?;
    }
    let weights = if has(INDEX) {
        shards(&std::fs::read(model.file(INDEX)?)?)?
    } else if has(WEIGHTS) {
        vec![WEIGHTS.to_owned()]
    } else {
        bail!("it has neither {WEIGHTS} nor {INDEX}");
    };
    for file in weights {
        model.file(&file)?;
    }
    Ok(config.parent().map(Path::to_owned).unwrap_or_default())
}

/// A model on the Hub and in the cache.
struct Model {
    remote: ApiRepo,
    local: CacheRepo,
}

impl Model {
    /// The local path of one file, which is downloaded unless it is there.
    fn file(&self, name: &str) -> anyhow::Result<PathBuf> {
        match self.local.get(name) {
            Some(path) => Ok(path),
            None => {
                Ok(self.remote.download_with_progress(name, Download::new(name)).context(name.to_owned())?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        for name in ["Qwen/Qwen2.5-0.5B-Instruct", "a/b", "HuggingFaceTB/SmolLM2_135M.x"] {
            assert!(is_name(name), "{name}");
        }
        for path in ["model", "/a/b", "./a", "../a", "a/b/c", "a/", "/b", "a/..", "a b/c", ""] {
            assert!(!is_name(path), "{path}");
        }
    }

    #[test]
    fn an_index_names_files_of_its_own_folder() {
        let index = |file: &str| format!(r#"{{"weight_map": {{"a": "{file}", "b": "{file}"}}}}"#);
        assert_eq!(shards(index("x.safetensors").as_bytes()).unwrap(), ["x.safetensors"]);
        assert!(shards(index("../x.safetensors").as_bytes()).is_err());
        assert!(shards(b"[]").is_err());
    }
}
