//! Hashes by which a log knows its data and its policy again.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::BenchmarkError;

/// Bytes that are read from either end of a large file.
const END: u64 = 1 << 20;

/// The hash of every `.json` file in these folders, or of the files themselves, by name and bytes.
///
/// # Errors
/// [`BenchmarkError::Io`].
pub fn of_data(paths: &[&Path]) -> Result<String, BenchmarkError> {
    let mut hash = Sha256::new();
    for path in paths {
        for file in files(path, &["json"])? {
            let bytes = std::fs::read(&file).map_err(BenchmarkError::io(&file))?;
            name(&mut hash, path, &file, bytes.len() as u64);
            hash.update(&bytes);
        }
    }
    Ok(hexadecimal(hash))
}

/// The hash of a policy's directory: its configuration, tokenizer and template, and its weights by length,
/// first and last mebibyte.
///
/// # Errors
/// [`BenchmarkError::Io`].
pub fn of_policy(dir: &Path) -> Result<String, BenchmarkError> {
    let mut hash = Sha256::new();
    for path in files(dir, &["json", "jinja", "safetensors"])? {
        let cannot = || BenchmarkError::io(&path);
        let mut file = File::open(&path).map_err(cannot())?;
        let length = file.metadata().map_err(cannot())?.len();
        name(&mut hash, dir, &path, length);
        let mut bytes = Vec::new();
        file.by_ref().take(END).read_to_end(&mut bytes).map_err(cannot())?;
        if length > END {
            file.seek(SeekFrom::Start((length - END).max(END))).map_err(cannot())?;
            file.take(END).read_to_end(&mut bytes).map_err(cannot())?;
        }
        hash.update(&bytes);
    }
    Ok(hexadecimal(hash))
}

/// The hash of a text.
pub(crate) fn of_text(text: &str) -> String {
    hexadecimal(Sha256::new_with_prefix(text))
}

/// A file's place below a folder and its length.
fn name(hash: &mut Sha256, folder: &Path, file: &Path, length: u64) {
    let place = file.strip_prefix(folder).unwrap_or(file).to_string_lossy();
    hash.update(place.as_bytes());
    hash.update([0]);
    hash.update(length.to_le_bytes());
}

/// The first half of a hash: 32 digits tell runs apart.
fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The files below a folder that end so, in order of their paths; or the file itself.
pub(crate) fn files(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, BenchmarkError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(BenchmarkError::io(&folder))? {
            let entry = entry.map_err(BenchmarkError::io(&folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(BenchmarkError::io(&path))?;
            let wanted = || path.extension().is_some_and(|ending| endings.iter().any(|e| ending == *e));
            if kind.is_dir() {
                folders.push(path);
            } else if wanted() && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
