//! Names of models and of their files, which come from a command line and from a server: none leads out of the
//! folder that it is joined to.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Which of several files has which weights.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Whether this could be a model's name: `ORG/NAME`.
pub(crate) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    matches!(name.split_once('/'), Some((org, name)) if part(org) && part(name))
}

/// The files that an index names.
pub(crate) fn shards(index: &[u8]) -> anyhow::Result<Vec<String>> {
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
