//! How the reference values are read.

use std::path::Path;

use safetensors::SafeTensors;

/// The four architectures' directories.
pub fn models() -> [&'static str; 4] {
    ["qwen2_tied", "qwen2_untied_sharded", "qwen3_tied", "llama3_rope"]
}

/// A safetensors file held in memory.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn read(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap())
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = file.tensor(name).unwrap().data().to_vec();
        bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    }

    /// An i64 tensor's rows as token ids; one row for a flat tensor.
    pub fn rows(&self, name: &str) -> Vec<Vec<u32>> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap();
        let width = *tensor.shape().last().unwrap();
        let ids: Vec<u32> =
            tensor.data().as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as u32).collect();
        ids.chunks(width).map(<[u32]>::to_vec).collect()
    }
}
