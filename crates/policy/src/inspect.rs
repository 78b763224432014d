//! What a model directory holds, found out without loading it.

use std::path::Path;

use crate::{AdapterConfig, Generation, ModelConfig, PolicyError, PolicyPlace, lora, weights};

/// A tensor of a weight file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements, as safetensors names it (`BF16`).
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its size in the file.
    pub bytes: u64,
}

/// A model directory's configuration and the headers of its weight files.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Sizes and options.
    pub config: ModelConfig,
    /// Stop tokens.
    pub generation: Generation,
    /// Every tensor that the configuration asks for.
    pub tensors: Vec<StoredTensor>,
    /// The adapters' settings, where the directory holds adapters; the rest is then that of the base model.
    pub lora: Option<AdapterConfig>,
}

impl Inspection {
    /// Reads the configuration and the headers.
    ///
    /// # Errors
    /// Those of [`crate::Policy::load`]: what this accepts can be loaded, but for values it does not look at.
    pub fn of(place: impl Into<PolicyPlace>) -> Result<Self, PolicyError> {
        let PolicyPlace { dir, base } = place.into();
        if lora::is_adapter(&dir) {
            let (config, named) = lora::header(&dir)?;
            return Ok(Self { lora: Some(config), ..Self::of_whole(&base.unwrap_or(named))? });
        }
        Self::of_whole(&dir)
    }

    fn of_whole(dir: &Path) -> Result<Self, PolicyError> {
        let mut config = ModelConfig::load(dir)?;
        let tensors = weights::headers(dir, &mut config)?;
        let generation = Generation::load(dir, &config)?;
        Ok(Self { config, generation, tensors, lora: None })
    }

    /// Number of parameters of the adapters that training goes on with; `None` where the weights are trained.
    pub fn adapter_params(&self) -> Option<u64> {
        self.lora.as_ref().map(|lora| self.config.lora_params(lora)).filter(|&adapters| adapters > 0)
    }

    /// Number of parameters.
    pub fn num_params(&self) -> u64 {
        self.tensors.iter().map(|t| t.shape.iter().product::<usize>() as u64).sum()
    }

    /// Bytes of the weight files' tensors by type, largest first.
    pub fn bytes_by_dtype(&self) -> Vec<(&str, u64)> {
        let mut sums: Vec<(&str, u64)> = Vec::new();
        for tensor in &self.tensors {
            match sums.iter_mut().find(|(dtype, _)| *dtype == tensor.dtype) {
                Some((_, sum)) => *sum += tensor.bytes,
                None => sums.push((&tensor.dtype, tensor.bytes)),
            }
        }
        sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        sums
    }
}
