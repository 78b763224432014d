//! A folder of a process's own, for code that reads files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that goes when it is dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty folder, in memory where the system has a place for that.
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        Self(made.expect("a folder can be made"))
    }

    /// Writes a file and returns its path.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The bytes before the first NUL and those after it, which may be none.
pub(crate) fn two_parts(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
