//! Files that terms name: where they are, and what they hold.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Value;
use toolrl_reward::TermConfig;

use crate::{CommandTerm, HttpTerm, PythonTerm, ScorerError};

/// Writes down in a term of this crate where its relative paths start, so that a run can go on from anywhere.
///
/// # Errors
/// Where there is no working directory.
pub fn settle(term: &mut TermConfig) -> std::io::Result<()> {
    let own = [(CommandTerm::ID, "run"), (PythonTerm::ID, "python"), (HttpTerm::ID, "url")];
    if !own.iter().any(|(id, key)| term.id == *id && term.settings.contains_key(*key)) {
        return Ok(());
    }
    let stated = term.settings.get("directory").and_then(Value::as_str).unwrap_or(".");
    // `components` takes the `.` off the end.
    let directory: PathBuf = std::path::absolute(stated)?.components().collect();
    term.settings.insert("directory".to_owned(), directory.display().to_string().into());
    Ok(())
}

/// CRC-32C of some files' contents, as hexadecimal digits.
///
/// # Errors
/// [`ScorerError::File`].
pub(crate) fn checksum<'p>(files: impl IntoIterator<Item = &'p PathBuf>) -> Result<String, ScorerError> {
    let (mut crc, mut buffer) = (0, vec![0; 1 << 16]);
    for path in files {
        let failed = |source| ScorerError::File { path: path.clone(), source };
        let mut file = File::open(path).map_err(failed)?;
        let mut length = 0_u64;
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                n => {
                    crc = crc32c::crc32c_append(crc, &buffer[..n]);
                    length += n as u64;
                }
            }
        }
        crc = crc32c::crc32c_append(crc, &length.to_le_bytes());
    }
    Ok(format!("{crc:08x}"))
}

/// The words of a command that name files: programs by their path, scripts, tables.
pub(crate) fn named<'w>(words: &'w [String], directory: &'w Path) -> impl Iterator<Item = PathBuf> + 'w {
    words.iter().map(|word| directory.join(word)).filter(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_paths_start_is_written_down_once() {
        let mut term = TermConfig::new("python");
        settle(&mut term).unwrap();
        assert!(term.settings.is_empty(), "a term of somebody else under our id");
        term.settings.insert("python".to_owned(), "reward.py:score".into());
        settle(&mut term).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(term.settings["directory"].as_str(), here.to_str());
        let settled = term.clone();
        settle(&mut term).unwrap();
        assert_eq!(term, settled);
    }

    #[test]
    fn checksums_tell_files_apart_and_missing_ones_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| dir.path().join(name));
        std::fs::write(&paths[0], "xy").unwrap();
        std::fs::write(&paths[1], "").unwrap();
        let first = checksum(&paths).unwrap();
        std::fs::write(&paths[0], "x").unwrap();
        std::fs::write(&paths[1], "y").unwrap();
        assert_ne!(first, checksum(&paths).unwrap());
        let gone = checksum(&[dir.path().join("gone")]).unwrap_err().to_string();
        assert!(gone.contains("gone"), "{gone}");
    }
}
