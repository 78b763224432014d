//! Tensors of safetensors files as a decoder, every one of them accounted for.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, TensorData};
use half::{bf16, f16};
use safetensors::{Dtype, tensor::TensorView};

use super::files::{Shard, files};
use super::names::{Tensors, all, renamed, settle_head};
use crate::init::{Source, build};
use crate::precision::{StoredType, data};
use crate::{Decoder, ModelConfig, PolicyError, Precision, StoredTensor};

/// Builds the decoder of a model directory, every tensor accounted for. The configuration becomes that of the decoder
/// where the weights have a head of their own, whatever it says.
pub(crate) fn load(
    dir: &Path,
    config: &mut ModelConfig,
    precision: Precision,
    device: &Device,
) -> Result<Decoder, PolicyError> {
    with_tensors(dir, config, |tensors, config| {
        let mut source = FromFiles { tensors, read: Some(precision), missing: Vec::new(), wrong: Vec::new() };
        let decoder = build(config, &mut source, device);
        source.fits(dir).map(|()| decoder)
    })
}

/// The tensors of a model directory, from the files' headers, every one accounted for. As [`load`] does, it settles
/// the configuration.
pub(crate) fn headers(dir: &Path, config: &mut ModelConfig) -> Result<Vec<StoredTensor>, PolicyError> {
    with_tensors(dir, config, |tensors, config| {
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

/// Maps the files of a directory and hands on their tensors, under the model's names, with what they make of the
/// configuration.
fn with_tensors<T>(
    dir: &Path,
    config: &mut ModelConfig,
    use_them: impl FnOnce(Tensors, &ModelConfig) -> Result<T, PolicyError>,
) -> Result<T, PolicyError> {
    let shards = files(dir)?.into_iter().map(Shard::open).collect::<Result<Vec<_>, _>>()?;
    let mut tensors = renamed(all(&shards)?, config, dir)?;
    settle_head(&mut tensors, config, dir);
    use_them(tensors, config)
}

/// The type that a directory's weights are stored as: what its configuration says, or else that of its first tensor
/// of floats.
pub(crate) fn stored_type(dir: &Path, config: &ModelConfig) -> Result<StoredType, PolicyError> {
    if let Some(told) = config.stored_type().and_then(StoredType::from_torch_name) {
        return Ok(told);
    }
    let shards = files(dir)?.into_iter().map(Shard::open).collect::<Result<Vec<_>, _>>()?;
    let first = all(&shards)?.into_values().find_map(|(_, tensor)| StoredType::of(tensor.dtype()));
    Ok(first.unwrap_or_default())
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
pub(super) const FLOATS: [Dtype; 3] = [Dtype::F32, Dtype::BF16, Dtype::F16];

/// A tensor of one of [`FLOATS`]. Numbers that are in the precision already are copied as they are.
fn stored(tensor: &TensorView, precision: Precision, shape: &[usize]) -> TensorData {
    match (tensor.dtype(), precision) {
        (Dtype::BF16, Precision::Bf16) => {
            let values = tensor.data().as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b));
            TensorData::new(values.collect::<Vec<_>>(), shape.to_vec())
        }
        _ => data(precision.numbers(floats(tensor).into()), shape.to_vec()),
    }
}

/// The elements of a tensor of one of [`FLOATS`], as f32.
pub(super) fn floats(tensor: &TensorView) -> Vec<f32> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        _ => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    }
}
