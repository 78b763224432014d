//! Where the reference values are, and how they are read.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::SafeTensors;

/// The four architectures' directories.
pub fn models() -> [&'static str; 4] {
    ["qwen2_tied", "qwen2_untied_sharded", "qwen3_tied", "llama3_rope"]
}

/// The CPU; in builds for any GPU by Vulkan the one that is there, which may be a software one, unless
/// `TOOLRL_TEST_DEVICE` is `cpu`.
pub fn device() -> Device {
    #[cfg(feature = "wgpu")]
    if std::env::var("TOOLRL_TEST_DEVICE").as_deref() != Ok("cpu") {
        return Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    }
    Device::flex()
}

/// A file of the reference values; `None`, with a message, where they are absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TOOLRL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    found(root.join(path))
}

/// The SmolLM2-135M-Instruct directory named by `TOOLRL_SMOLLM2`.
pub fn smollm2() -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("TOOLRL_SMOLLM2") else {
        eprintln!("skipped: TOOLRL_SMOLLM2 names no model directory");
        return None;
    };
    found(dir.into())
}

fn found(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var_os("TOOLRL_REQUIRE_SHARED").is_some_and(|v| v == "1");
    assert!(!required, "{} is required and absent", path.display());
    eprintln!("skipped: {} is absent", path.display());
    None
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
