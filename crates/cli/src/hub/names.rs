//! Names of models and of their files, which come from a command line and from a server: none leads out of the
//! folder that it is joined to.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Which of several files has which weights.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// A model on the Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// `ORG/NAME`.
    pub(super) model: String,
    /// A branch, tag or commit.
    pub(super) revision: Option<String>,
}

impl Name {
    /// What could be a model's name: `ORG/NAME` or `ORG/NAME@REVISION`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (model, revision) = match text.split_once('@') {
            Some((model, revision)) => (model, Some(revision)),
            None => (text, None),
        };
        let (org, name) = model.split_once('/')?;
        let is_name = is_part(org) && is_part(name) && revision.is_none_or(|rev| rev.split('/').all(is_part));
        is_name.then(|| Self { model: model.to_owned(), revision: revision.map(str::to_owned) })
    }
}

fn is_part(part: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
}

/// Whether a file is a chat template of the folder for these.
pub(super) fn is_template(file: &str) -> bool {
    let name = file.strip_prefix("additional_chat_templates/").and_then(|name| name.strip_suffix(".jinja"));
    name.is_some_and(is_part)
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
            assert_eq!(Name::of(name), Some(Name { model: name.to_owned(), revision: None }));
        }
        for (name, revision) in [("a/b@main", "main"), ("a/b@v1.0", "v1.0"), ("a/b@refs/pr/1", "refs/pr/1")] {
            let named = Name { model: "a/b".to_owned(), revision: Some(revision.to_owned()) };
            assert_eq!(Name::of(name), Some(named));
        }
        let paths = ["model", "/a/b", "./a", "../a", "a/b/c", "a/", "/b", "a/..", "a b/c", ""];
        for path in paths.into_iter().chain(["a/b@", "a/b@..", "a/b@../x", "a/b@x//y", "a@b/c"]) {
            assert_eq!(Name::of(path), None, "{path}");
        }
    }

    #[test]
    fn templates_are_files_of_their_folder() {
        assert!(is_template("additional_chat_templates/tool_use.jinja"));
        for file in ["additional_chat_templates/../x.jinja", "additional_chat_templates/a/b.jinja", "x.jinja"]
        {
            assert!(!is_template(file), "{file}");
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
