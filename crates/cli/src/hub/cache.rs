//! The local cache of the Hub's models, where and as the library `huggingface_hub` keeps it, and what its environment
//! variables say: they are what a user has set for all programs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toolrl_remote::Key;

/// The Hub's own address.
const ENDPOINT: &str = "https://huggingface.co";

/// Where models are had from.
pub(super) struct Place {
    pub(super) cache: Cache,
    pub(super) endpoint: String,
    /// What the Hub knows the user by.
    pub(super) key: Option<Key>,
    /// The variable that says that the Hub should not be asked.
    pub(super) offline: Option<&'static str>,
}

/// The cache: a folder for each model, in it one for each commit, and files that say which commit a branch was.
pub(super) struct Cache {
    path: PathBuf,
}

/// The files of a model at a commit.
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
    pub(super) commit: String,
    model: PathBuf,
}

impl Place {
    /// `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`; `HF_ENDPOINT`; `HF_TOKEN`,
    /// `HUGGING_FACE_HUB_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`; `HF_HUB_OFFLINE` and
    /// `TRANSFORMERS_OFFLINE`: the first of each row that is set and not empty.
    pub(super) fn of_environment() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(|path| expanded(&path));
        let home = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME").unwrap_or_else(|| expanded("~/.cache")).join("huggingface")
        });
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let key = set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(|| {
            std::fs::read_to_string(path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"))).ok()
        });
        let is_true = |name: &str| {
            set(name).is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
        };
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(|name| set(name).is_some());
        Self {
            cache: Cache { path: cache.unwrap_or_else(|| home.join("hub")) },
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()),
            key: key
                .filter(|key| !key.trim().is_empty() && !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
                .map(|key| Key::new(&key)),
            offline: offline.filter(|name| is_true(name)),
        }
    }
}

/// A path that may begin with the user's home.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

impl Cache {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A model's files at a commit, whether any are there or not.
    pub(super) fn at(&self, model: &str, commit: &str) -> Snapshot {
        let model = self.path.join(format!("models--{}", model.replace('/', "--")));
        Snapshot { dir: model.join("snapshots").join(commit), commit: commit.to_owned(), model }
    }

    /// A model's files at a commit, or at the one that a branch or tag was when it was last asked for.
    pub(super) fn snapshot(&self, model: &str, revision: &str) -> Option<Snapshot> {
        let named = self.at(model, revision);
        if named.dir.is_dir() {
            return Some(named);
        }
        let commit = std::fs::read_to_string(named.model.join("refs").join(revision)).ok()?;
        let is_hash =
            |commit: &&str| !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Some(self.at(model, Some(commit.trim()).filter(is_hash)?))
    }
}

impl Snapshot {
    /// Whether a file is there.
    pub(super) fn has(&self, file: &str) -> bool {
        self.dir.join(file).exists()
    }

    /// Whether the model is known to have no such file.
    pub(super) fn is_without(&self, file: &str) -> bool {
        self.note(file).exists()
    }

    /// Notes that the model has no such file.
    pub(super) fn note_without(&self, file: &str) -> anyhow::Result<()> {
        write(&self.note(file), "")
    }

    /// Notes which branch or tag this is; a commit needs no note.
    pub(super) fn note_revision(&self, revision: &str) -> anyhow::Result<()> {
        if revision == self.commit {
            Ok(())
        } else {
            write(&self.model.join("refs").join(revision), &self.commit)
        }
    }

    fn note(&self, file: &str) -> PathBuf {
        self.model.join(".no_exist").join(&self.commit).join(file)
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text)).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Place {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Place::of(&|name| variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
    }

    /// The order is that of `huggingface_hub.constants`.
    #[test]
    fn the_cache_is_where_other_programs_have_it() {
        for (variables, path) in [
            (&[("HF_HUB_CACHE", "/a"), ("HUGGINGFACE_HUB_CACHE", "/b"), ("HF_HOME", "/c")][..], "/a"),
            (&[("HUGGINGFACE_HUB_CACHE", "/b"), ("HF_HOME", "/c"), ("XDG_CACHE_HOME", "/d")], "/b"),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/c"), ("XDG_CACHE_HOME", "/d")], "/c/hub"),
            (&[("XDG_CACHE_HOME", "/d")], "/d/huggingface/hub"),
        ] {
            assert_eq!(place(variables).cache.path, Path::new(path));
        }
        assert!(place(&[]).cache.path.ends_with(".cache/huggingface/hub"));
        assert!(place(&[("HF_HOME", "~/x")]).cache.path.is_absolute());
    }

    #[test]
    fn the_token_is_the_users() {
        let home = tempfile::tempdir().unwrap();
        let home_path = home.path().to_str().unwrap();
        std::fs::write(home.path().join("token"), "of_login\n").unwrap();
        std::fs::write(home.path().join("other"), "of_file").unwrap();
        let other = home.path().join("other").display().to_string();
        let home = ("HF_HOME", home_path);
        for (variables, key) in [
            (&[home, ("HF_TOKEN", "a"), ("HUGGING_FACE_HUB_TOKEN", "b")][..], Some("a")),
            (&[home, ("HUGGING_FACE_HUB_TOKEN", "b\n")], Some("b")),
            (&[home], Some("of_login")),
            (&[home, ("HF_TOKEN_PATH", &other)], Some("of_file")),
            (&[("HF_HOME", "/none")], None),
            (&[home, ("HF_TOKEN", "a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None),
        ] {
            assert!(place(variables).key == key.map(Key::new), "{variables:?}");
        }
    }

    #[test]
    fn offline_is_a_variable_of_two() {
        for (variables, offline) in [
            (&[("HF_HUB_OFFLINE", "1")][..], Some("HF_HUB_OFFLINE")),
            (&[("TRANSFORMERS_OFFLINE", "yes")], Some("TRANSFORMERS_OFFLINE")),
            (&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")], None),
            (&[("HF_HUB_OFFLINE", "off")], None),
            (&[], None),
        ] {
            assert_eq!(place(variables).offline, offline, "{variables:?}");
        }
    }
}
