//! Models by their name on the Hugging Face Hub: `ORG/NAME` where a directory can be given.

mod names;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo};

use crate::progress::Download;
use names::{INDEX, is_name, shards};

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

/// Whether a directory has a model's configuration and all its weights.
fn is_whole(dir: &Path) -> bool {
    let has = |name: &str| dir.join(name).exists();
    let shards = std::fs::read(dir.join(INDEX)).ok().and_then(|index| shards(&index).ok());
    has("config.json") && (has(WEIGHTS) || shards.is_some_and(|shards| shards.iter().all(|s| has(s))))
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
