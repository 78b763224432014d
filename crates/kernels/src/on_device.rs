//! What the CPU does with the numbers of a tensor, and a GPU where the tensor is.

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token, the first on ties.
    pub temperature: f32,
    /// The smallest set of most probable tokens that reaches this probability is kept.
    pub top_p: f32,
}

/// The token of each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draws {
    /// Its id; none where the logits are no finite numbers.
    pub tokens: Vec<Option<u32>>,
    /// Its log-probability in nats under `softmax(logits / temperature)`; at temperature 0 under `softmax(logits)`.
    pub logprobs: Vec<f32>,
}

/// Whether a device is the CPU, whose tensors are plain numbers in memory.
pub fn is_cpu(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The folder of CUDA's headers that kernels are compiled with, where the runtime finds the toolkit.
#[cfg(feature = "cuda")]
pub fn cuda_headers() -> Option<std::path::PathBuf> {
    cubecl::cuda::install::cuda_path().map(|toolkit| toolkit.join("include"))
}

/// Draws a token from each row of `logits_nv` on the GPU that holds it, by inverting the cumulative distribution at the
/// row's number in `uniform_n`, so that no logits are copied to the host. `None` on the CPU.
///
/// Sums are in f32: a number within some 1e-6 of where a token ends and the next begins may give either.
pub fn draw(logits_nv: &Tensor<2>, uniform_n: &[f64], sampling: &Sampling) -> Option<Draws> {
    #[cfg(feature = "cube")]
    return crate::cube::draw(logits_nv, uniform_n, sampling);
    #[cfg(not(feature = "cube"))]
    {
        let _ = (logits_nv, uniform_n, sampling);
        None
    }
}

/// A product that is computed when it is called.
pub type Product = Box<dyn Fn() -> Tensor<2>>;

/// Every kernel that computes [`crate::linear`] of these on the GPU that holds them, by name, the one that it takes first:
/// to be compared and timed. None on the CPU, and none of tensors that have gradients.
pub fn linear_kernels(x_ti: &Tensor<2>, weight_oi: &Tensor<2>) -> Vec<(String, Product)> {
    #[cfg(feature = "cube")]
    return crate::cube::linear_kernels(x_ti, weight_oi);
    #[cfg(not(feature = "cube"))]
    {
        let _ = (x_ti, weight_oi);
        Vec::new()
    }
}
