//! Files that appear whole or not at all.

use std::fs;
use std::path::Path;

use super::RecordError;

/// Writes a file under a temporary name beside its place, then moves it there: a reader sees the old
/// content or the new, never a part. Directories above it are made.
///
/// # Errors
/// [`RecordError::Io`] when the file system refuses; what stood there before is then intact.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(RecordError::io(parent))?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    let temporary = Path::new(&temporary);
    fs::write(temporary, bytes).map_err(RecordError::io(temporary))?;
    fs::rename(temporary, path).map_err(RecordError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_directories_replaces_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file.json");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn names_the_place_that_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_whole(&file.join("x.json"), b"").unwrap_err().to_string();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
    }
}
