//! The tensors of an adapter's file, handed out by name, and what is wrong with them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::PolicyError;
use crate::weights::{ShapeAndValues, read_tensors};

const WEIGHTS: &str = "adapter_model.safetensors";
const PICKLE: &str = "adapter_model.bin";
/// What PEFT writes before a module's path.
const PREFIX: &str = "base_model.model.";

/// The tensors that nobody asked for yet, without PEFT's prefix.
pub(super) struct AdapterTensors {
    tensors: BTreeMap<String, ShapeAndValues>,
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl AdapterTensors {
    pub(super) fn read(dir: &Path) -> Result<Self, PolicyError> {
        let (path, pickle) = (dir.join(WEIGHTS), dir.join(PICKLE));
        if !path.exists() && pickle.exists() {
            let convert = format!(
                "python3 -c 'import torch, safetensors.torch as s; \
                 s.save_file(torch.load(\"{}\", weights_only=True), \"{}\")'",
                pickle.display(),
                path.display()
            );
            return Err(PolicyError::Pickle { path: pickle, convert });
        }
        // A name without the prefix keeps it from being mistaken for one with it.
        let short = |name: String| name.strip_prefix(PREFIX).map_or(format!("/{name}"), str::to_owned);
        let tensors = read_tensors(&path)?.into_iter().map(|(name, tensor)| (short(name), tensor)).collect();
        Ok(Self { tensors, missing: Vec::new(), wrong: Vec::new() })
    }

    /// Whether a tensor is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor's values; of one that is missing or has another shape none, and [`Self::done`] tells it.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        match self.tensors.remove(name) {
            Some((found, values)) if found == shape => return Some(values),
            Some((found, _)) => self.wrong.push(format!("{PREFIX}{name} is {found:?}, expected {shape:?}")),
            None => self.missing.push(format!("{PREFIX}{name}")),
        }
        None
    }

    /// A and B of a layer, under their names in linear layers.
    pub(super) fn pair(&mut self, path: &str, a: [usize; 2], b: [usize; 2]) -> Option<(Vec<f32>, Vec<f32>)> {
        let a = self.take(&format!("{path}.lora_A.weight"), &a);
        let b = self.take(&format!("{path}.lora_B.weight"), &b);
        a.zip(b)
    }

    /// Whether every tensor was asked for, there, and right.
    pub(super) fn done(self, dir: &Path) -> Result<(), PolicyError> {
        let Self { tensors, missing, wrong } = self;
        if tensors.is_empty() && missing.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let long = |name: String| name.strip_prefix('/').map_or(format!("{PREFIX}{name}"), str::to_owned);
        let unexpected = tensors.into_keys().map(long).collect();
        Err(PolicyError::Adapter { dir: dir.to_owned(), missing, unexpected, wrong })
    }
}
