//! The files of the repository.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

/// Folders that hold no sources: git's own, what cargo builds, what runs write.
const SKIPPED: [&str; 3] = [".git", "target", "runs"];
/// Only these are read; of the others it is enough to know that they are there.
const READ: [&str; 2] = ["rs", "md"];

/// Every file and folder by its path from the root, with `/`; sources and documents with their text.
#[derive(Debug, Default)]
pub(crate) struct Files {
    entries: BTreeMap<String, Option<String>>,
}

impl Files {
    /// Walks the repository.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Self::default();
        files.walk(root, "")?;
        Ok(files)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let place = || format!("cannot read {}", folder.display());
        for entry in std::fs::read_dir(folder).with_context(place)? {
            let entry = entry.with_context(place)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type().with_context(place)?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.walk(&entry.path(), &format!("{path}/"))?;
                    self.entries.insert(path, None);
                }
            } else {
                let text = if READ.contains(&extension(&path)) {
                    Some(
                        std::fs::read_to_string(entry.path())
                            .with_context(|| format!("cannot read {path}"))?,
                    )
                } else {
                    None
                };
                self.entries.insert(path, text);
            }
        }
        Ok(())
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a file or folder stands at this path from the root.
    pub(crate) fn contains(&self, path: &str) -> bool {
        path.is_empty() || self.entries.contains_key(path)
    }

    /// Path and text of the files of one kind.
    pub(crate) fn with_extension(&self, wanted: &str) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .filter(move |(path, _)| extension(path) == wanted)
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }
}

/// What stands after the last dot of a path; nothing where there is none.
fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

#[cfg(test)]
impl<const N: usize> From<[&str; N]> for Files {
    /// Files without text.
    fn from(paths: [&str; N]) -> Self {
        Self { entries: paths.into_iter().map(|path| (path.to_owned(), None)).collect() }
    }
}
