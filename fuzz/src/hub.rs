//! Names of models and of their files, as a command line or a server gives them.

use std::path::{Component, Path};

#[path = "../../crates/cli/src/hub/names.rs"]
mod names;

/// Reads the bytes as a model's name and as an index of weights. No name leads out of the folder that it is
/// joined to.
pub fn hub_names(data: &[u8]) {
    let is_inside =
        |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(names::Name { model, revision }) = names::Name::of(text) {
            assert!(Path::new(&model).components().count() == 2 && is_inside(&model), "{text:?}");
            assert!(is_inside(&revision.unwrap_or_default()), "{text:?}");
        }
        assert!(!names::is_template(text) || is_inside(text), "{text:?}");
    }
    for file in names::shards(data).unwrap_or_default() {
        let parts: Vec<_> = Path::new(&file).components().collect();
        assert!(matches!(parts[..], [Component::Normal(_)]) && !file.contains('/'), "{file:?}");
        let folder = Path::new("/cache/models--a--b/snapshots/c");
        assert_eq!(folder.join(&file).parent(), Some(folder), "{file:?}");
    }
}
