//! Names of models and of their files, as a command line or a server gives them.

use std::path::{Component, Path};

#[path = "../../crates/cli/src/hub/names.rs"]
mod names;

/// Reads the bytes as a model's name and as an index of weights. No name leads out of the folder that it is
/// joined to.
pub fn hub_names(data: &[u8]) {
    if let Ok(name) = std::str::from_utf8(data)
        && names::is_name(name)
    {
        let parts: Vec<_> = Path::new(name).components().collect();
        assert!(
            parts.len() == 2 && parts.iter().all(|part| matches!(part, Component::Normal(_))),
            "{name:?}"
        );
    }
    for file in names::shards(data).unwrap_or_default() {
        let parts: Vec<_> = Path::new(&file).components().collect();
        assert!(matches!(parts[..], [Component::Normal(_)]) && !file.contains('/'), "{file:?}");
        let folder = Path::new("/cache/models--a--b/snapshots/c");
        assert_eq!(folder.join(&file).parent(), Some(folder), "{file:?}");
    }
}
