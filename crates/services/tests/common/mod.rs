//! Folders of benchmark data.

use std::path::Path;

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
