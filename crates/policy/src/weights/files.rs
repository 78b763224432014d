//! Which files hold a directory's weights, mapped into memory and read once.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{SafeTensors, tensor::TensorView};

use crate::PolicyError;
use crate::config::{is_lfs_pointer, read_json};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What older directories have instead.
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Whether a directory has weights of a whole model.
pub(crate) fn has_weights(dir: &Path) -> bool {
    [SINGLE, INDEX].iter().chain(&PICKLES).any(|name| dir.join(name).exists())
}

/// The weight files: the single one, or else those of the index, as transformers looks for them.
pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let (single, index) = (dir.join(SINGLE), dir.join(INDEX));
    match (single.exists(), index.exists()) {
        (true, indexed) => {
            if indexed && indexed_files(dir, &index).ok().is_none_or(|files| files != [single.clone()]) {
                let dir = dir.display();
                tracing::warn!("{dir}: {SINGLE} counts, and not the files of {INDEX} beside it");
            }
            Ok(vec![single])
        }
        (false, true) => indexed_files(dir, &index),
        (false, false) => Err(match PICKLES.iter().map(|name| dir.join(name)).find(|path| path.exists()) {
            Some(path) => {
                let convert = format!(
                    "python3 -c 'from transformers import AutoModelForCausalLM as M; d = \"{}\"; \
                     M.from_pretrained(d).save_pretrained(d)'",
                    dir.display()
                );
                PolicyError::Pickle { path, convert }
            }
            None => PolicyError::NoWeights { dir: dir.to_owned() },
        }),
    }
}

/// The files that an index names, in the order of their names.
fn indexed_files(dir: &Path, index: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let json = read_json(index)?;
    let map =
        json.get("weight_map").and_then(|m| m.as_object()).filter(|m| m.values().all(|v| v.is_string()));
    let wrong = |message: String| PolicyError::Json { path: index.to_owned(), message };
    let map = map.ok_or_else(|| wrong("weight_map should be an object of file names".to_owned()))?;
    let mut names: Vec<&str> = map.values().filter_map(|v| v.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(name) = names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        return Err(wrong(format!("weight_map should name files of this directory, not {name:?}")));
    }
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}

/// One mapped file.
pub(super) struct Shard {
    pub path: PathBuf,
    bytes: Mmap,
}

impl Shard {
    pub(super) fn open(path: PathBuf) -> Result<Self, PolicyError> {
        let failed = |source| PolicyError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        // SAFETY: the map is read while `load` runs; a file that another process truncates meanwhile is
        // outside what a loader can guard against.
        let bytes = unsafe { Mmap::map(&file) }.map_err(failed)?;
        if is_lfs_pointer(&bytes) {
            return Err(PolicyError::LfsPointer { path });
        }
        Ok(Self { path, bytes })
    }

    /// Its tensors; the header's offsets and sizes are checked against the file.
    pub(super) fn tensors(&self) -> Result<Vec<(String, TensorView<'_>)>, PolicyError> {
        let file = SafeTensors::deserialize(&self.bytes)
            .map_err(|e| PolicyError::Safetensors { path: self.path.clone(), message: e.to_string() })?;
        Ok(file.tensors())
    }

    /// Lets the system take back the pages of a tensor that was read, so that a model is not held
    /// twice while it is loaded. Where that fails, more memory is held, and nothing else differs.
    pub(super) fn release(&self, data: &[u8]) {
        #[cfg(unix)]
        {
            let offset = data.as_ptr().addr() - self.bytes.as_ptr().addr();
            // SAFETY: the map is read-only and of a file, from which its pages come back.
            let _ = unsafe {
                self.bytes.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, data.len())
            };
        }
    }
}
