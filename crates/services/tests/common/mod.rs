//! Shared golden files and benchmark data, where they are.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::Read;
use std::path::{Path, PathBuf};

/// A path under the shared folder; `None`, with a message, where it is absent. With
/// `TOOLRL_REQUIRE_SHARED=1` its absence fails.
pub fn shared(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TOOLRL_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = shared.join(path);
    if !path.exists() {
        let required = std::env::var("TOOLRL_REQUIRE_SHARED").is_ok_and(|value| value == "1");
        assert!(!required, "{} is missing", path.display());
        eprintln!("skipped: {} is missing", path.display());
        return None;
    }
    Some(path)
}

/// BFCL's own `long_context.py`, which `TOOLRL_BFCL_LONG_CONTEXT` names; `None`, with a message, without it.
pub fn long_context() -> Option<PathBuf> {
    let path = std::env::var_os("TOOLRL_BFCL_LONG_CONTEXT").map(PathBuf::from);
    if path.is_none() {
        eprintln!(
            "skipped: TOOLRL_BFCL_LONG_CONTEXT names no long_context.py, so none of that category is run"
        );
    }
    path
}

/// Copies what the multi-turn cases of a data folder are read from, without the texts of the long context.
pub fn copy_cases(data: &Path, folder: &Path) {
    for inner in ["", "possible_answer"] {
        std::fs::create_dir_all(folder.join(inner)).expect("a folder");
        for entry in std::fs::read_dir(data.join(inner)).expect("the folder is read") {
            let entry = entry.expect("an entry");
            if entry.file_name().to_string_lossy().starts_with("BFCL_v3_multi_turn") {
                let copy = folder.join(inner).join(entry.file_name());
                std::fs::copy(entry.path(), copy).expect("a copy");
            }
        }
    }
}

/// The lines of a gzip file among the golden ones of BFCL.
pub fn golden_lines(file: &str) -> Option<Vec<String>> {
    let packed = std::fs::File::open(shared("golden/bfcl")?.join(file)).expect("the golden file opens");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("it unpacks");
    Some(text.split('\n').filter(|line| !line.is_empty()).map(str::to_string).collect())
}
