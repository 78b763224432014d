//! Safetensors files, one or many, mapped into memory and read once.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::config::read_json;
use crate::init::{Source, build};
use crate::{Decoder, ModelConfig, PolicyError, Precision, StoredTensor};

/// Builds the decoder of a model directory, every tensor accounted for.
pub(crate) fn load(
    dir: &Path,
    config: &ModelConfig,
    precision: Precision,
    device: &Device,
) -> Result<Decoder, PolicyError> {
    with_tensors(dir, config, |tensors| {
        let mut source = FromFiles { tensors, read: Some(precision), missing: Vec::new(), wrong: Vec::new() };
        let decoder = build(config, &mut source, device);
        source.fits(dir).map(|()| decoder)
    })
}

/// The tensors of a model directory, from the files' headers alone, every one accounted for.
pub(crate) fn headers(dir: &Path, config: &ModelConfig) -> Result<Vec<StoredTensor>, PolicyError> {
    with_tensors(dir, config, |tensors| {
        let stored = |(name, (_, tensor)): (&String, &(&Shard, TensorView))| StoredTensor {
            name: name.clone(),
            dtype: format!("{:?}", tensor.dtype()),
            shape: tensor.shape().to_vec(),
            bytes: tensor.data().len() as u64,
        };
        let stored = tensors.iter().map(stored).collect();
        let mut source = FromFiles { tensors, read: None, missing: Vec::new(), wrong: Vec::new() };
        build(config, &mut source, &Device::flex());
        source.fits(dir).map(|()| stored)
    })
}

/// A tensor as plain numbers.
pub(crate) type ShapeAndValues = (Vec<usize>, Vec<f32>);

/// Every tensor of one file, by name.
pub(crate) fn read_tensors(path: &Path) -> Result<BTreeMap<String, ShapeAndValues>, PolicyError> {
    let shard = Shard::open(path.to_owned())?;
    let read = |(name, tensor): (String, TensorView)| {
        if FLOATS.contains(&tensor.dtype()) {
            return Ok((name, (tensor.shape().to_vec(), floats(&tensor))));
        }
        let message = format!("{name} is {:?}, expected floats", tensor.dtype());
        Err(PolicyError::Safetensors { path: path.to_owned(), message })
    };
    shard.tensors()?.into_iter().map(read).collect()
}

/// Tensors by name, each with the file that it is read from.
type Tensors<'a> = BTreeMap<String, (&'a Shard, TensorView<'a>)>;

/// Maps the files of a directory and hands on their tensors.
fn with_tensors<T>(
    dir: &Path,
    config: &ModelConfig,
    use_them: impl FnOnce(Tensors) -> Result<T, PolicyError>,
) -> Result<T, PolicyError> {
    let shards = files(dir)?.into_iter().map(Shard::open).collect::<Result<Vec<_>, _>>()?;
    let mut tensors = Tensors::new();
    for shard in &shards {
        for (name, tensor) in shard.tensors()? {
            tensors.insert(name, (shard, tensor));
        }
    }
    if config.tie_word_embeddings {
        // Some exporters write the tied head as well; it is the embedding table again.
        tensors.remove("lm_head.weight");
    }
    use_them(tensors)
}

/// The weight files: those of the index, or the single one.
fn files(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let (single, index) = (dir.join("model.safetensors"), dir.join("model.safetensors.index.json"));
    if !index.exists() {
        return if single.exists() {
            Ok(vec![single])
        } else {
            Err(PolicyError::NoWeights { dir: dir.to_owned() })
        };
    }
    let json = read_json(&index)?;
    let map =
        json.get("weight_map").and_then(|m| m.as_object()).filter(|m| m.values().all(|v| v.is_string()));
    let wrong = |message: String| PolicyError::Json { path: index.clone(), message };
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
struct Shard {
    path: PathBuf,
    bytes: Mmap,
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, PolicyError> {
        let failed = |source| PolicyError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        // SAFETY: the map is read while `load` runs; a file that another process truncates meanwhile is
        // outside what a loader can guard against.
        let bytes = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self { path, bytes })
    }

    /// Its tensors; the header's offsets and sizes are checked against the file.
    fn tensors(&self) -> Result<Vec<(String, TensorView<'_>)>, PolicyError> {
        let file = SafeTensors::deserialize(&self.bytes)
            .map_err(|e| PolicyError::Safetensors { path: self.path.clone(), message: e.to_string() })?;
        Ok(file.tensors())
    }

    /// Lets the system take back the pages of a tensor that was read, so that a model is not held
    /// twice while it is loaded. Where that fails, more memory is held, and nothing else differs.
    fn release(&self, data: &[u8]) {
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

/// Hands out tensors by name, and keeps what was wrong.
struct FromFiles<'a> {
    tensors: Tensors<'a>,
    /// How the values are stored, where they are wanted and not only their names and shapes.
    read: Option<Precision>,
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl FromFiles<'_> {
    /// Whether every tensor was asked for, there, and right.
    fn fits(self, dir: &Path) -> Result<(), PolicyError> {
        let Self { tensors, missing, wrong, .. } = self;
        if tensors.is_empty() && missing.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let unexpected = tensors.into_keys().collect();
        Err(PolicyError::Weights { dir: dir.to_owned(), missing, unexpected, wrong })
    }
}

impl Source for FromFiles<'_> {
    fn values(&mut self, name: &str, shape: &[usize]) -> Option<TensorData> {
        let Some((shard, tensor)) = self.tensors.remove(name) else {
            self.missing.push(name.to_owned());
            return None;
        };
        if tensor.shape() != shape || !FLOATS.contains(&tensor.dtype()) {
            let found = format!("{:?} {:?}", tensor.dtype(), tensor.shape());
            self.wrong.push(format!("{name} is {found}, expected floats {shape:?}"));
            return None;
        }
        let values = self.read.map(|precision| stored(&tensor, precision, shape));
        shard.release(tensor.data());
        values
    }
}

/// The types that hold weights.
const FLOATS: [Dtype; 3] = [Dtype::F32, Dtype::BF16, Dtype::F16];

/// A tensor of one of [`FLOATS`]. Numbers that are in the precision already are copied as they are.
fn stored(tensor: &TensorView, precision: Precision, shape: &[usize]) -> TensorData {
    match (tensor.dtype(), precision) {
        (Dtype::BF16, Precision::Bf16) => {
            let values = tensor.data().as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b));
            TensorData::new(values.collect::<Vec<_>>(), shape.to_vec())
        }
        _ => precision.data(floats(tensor), shape.to_vec()),
    }
}

/// The elements of a tensor of one of [`FLOATS`], as f32.
fn floats(tensor: &TensorView) -> Vec<f32> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        _ => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    }
}
