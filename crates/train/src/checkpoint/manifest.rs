//! What a checkpoint holds, with a checksum of every file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The form of checkpoints that this program writes.
const FORMAT: u32 = 1;

/// `manifest.json` of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the checkpoint.
    pub format: u32,
    /// Steps done.
    pub step: u64,
    /// The program and its version.
    pub program: String,
    /// Every other file of the checkpoint.
    pub files: Vec<FileSum>,
}

/// A file with its size and checksum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileSum {
    /// Its path in the checkpoint, with slashes.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The CRC-32C of its content, as eight hexadecimal digits.
    pub crc32c: String,
}

impl Manifest {
    /// The name of the file.
    pub const NAME: &'static str = "manifest.json";

    /// Of what lies in a directory.
    pub(crate) fn of(dir: &Path, step: u64) -> Result<Self, TrainError> {
        let program = concat!("toolrl ", env!("CARGO_PKG_VERSION")).to_owned();
        let mut files = Vec::new();
        for path in files_below(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })? {
            let (bytes, crc32c) = sum(&dir.join(&path))
                .map_err(|source| TrainError::Write { path: dir.join(&path), source })?;
            files.push(FileSum { path, bytes, crc32c });
        }
        files.sort();
        Ok(Self { format: FORMAT, step, program, files })
    }

    /// Reads the manifest of a checkpoint, and compares every file with it.
    ///
    /// # Errors
    /// What is damaged: a file that is missing or cut off, or whose content is another.
    pub fn verified(dir: &Path) -> Result<Self, String> {
        let read = |e: std::io::Error| format!("{}: {e}", Self::NAME);
        let bytes = std::fs::read(dir.join(Self::NAME)).map_err(read)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", Self::NAME))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "{}: format {}, and this program reads {FORMAT}",
                Self::NAME,
                manifest.format
            ));
        }
        for file in &manifest.files {
            let (bytes, crc32c) = sum(&dir.join(&file.path)).map_err(|e| format!("{}: {e}", file.path))?;
            if bytes != file.bytes {
                return Err(format!("{} has {bytes} bytes, and had {}", file.path, file.bytes));
            }
            if crc32c != file.crc32c {
                return Err(format!("{} has the checksum {crc32c}, and had {}", file.path, file.crc32c));
            }
        }
        Ok(manifest)
    }
}

/// Every file below a directory but the manifest, by its path there.
pub(super) fn files_below(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path != Path::new(Manifest::NAME) {
                let parts: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
                files.push(parts.join("/"));
            }
        }
    }
    Ok(files)
}

/// Size and checksum of a file.
fn sum(path: &Path) -> std::io::Result<(u64, String)> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut bytes, mut crc, mut buffer) = (0, 0, vec![0; 1 << 20]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((bytes, format!("{crc:08x}"))),
            n => {
                bytes += n as u64;
                crc = crc32c::crc32c_append(crc, &buffer[..n]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("trainer")).unwrap();
        std::fs::write(path("model.safetensors"), [7; 3000]).unwrap();
        std::fs::write(path("trainer/state.safetensors"), [1; 10]).unwrap();
        let manifest = Manifest::of(dir.path(), 3).unwrap();
        let names: Vec<_> = manifest.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(names, ["model.safetensors", "trainer/state.safetensors"]);
        assert!(Manifest::verified(dir.path()).unwrap_err().contains("manifest.json"), "there is none yet");
        let json = serde_json::to_vec(&manifest).unwrap();
        std::fs::write(path("manifest.json"), &json).unwrap();
        assert_eq!(Manifest::verified(dir.path()), Ok(manifest));

        let damaged = |what: &str, content: Option<&[u8]>, part: &str| {
            let before = std::fs::read(path(what)).unwrap();
            match content {
                Some(content) => std::fs::write(path(what), content).unwrap(),
                None => std::fs::remove_file(path(what)).unwrap(),
            }
            let message = Manifest::verified(dir.path()).unwrap_err();
            assert!(message.contains(what) && message.contains(part), "{message}");
            std::fs::write(path(what), before).unwrap();
        };
        let mut flipped = [7; 3000];
        flipped[1234] ^= 4;
        damaged("model.safetensors", Some(&flipped), "checksum");
        damaged("model.safetensors", Some(&[7; 2999]), "2999 bytes");
        damaged("trainer/state.safetensors", None, "No such file");
        damaged("manifest.json", Some(&json[..json.len() - 4]), "EOF");
        damaged(
            "manifest.json",
            Some(br#"{"format": 2, "step": 1, "program": "", "files": []}"#),
            "format 2",
        );
    }
}
