//! What a device is, and its choice of kernels.

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{Device, Tensor};

use crate::backend::FusedOps;

/// Whether a device is the CPU, whose tensors are plain numbers in memory.
pub fn is_cpu(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The folder of CUDA's headers that kernels are compiled with, where the runtime finds the toolkit.
#[cfg(feature = "cuda")]
pub fn cuda_headers() -> Option<std::path::PathBuf> {
    cubecl::cuda::install::cuda_path().map(|toolkit| toolkit.join("include"))
}

/// A product that is computed when it is called.
pub type Product = Box<dyn Fn() -> Tensor<2>>;

/// Every kernel that computes [`crate::linear`] of these on the GPU that holds them, by name, the one that it takes first:
/// to be compared and timed. None on the CPU, and none of tensors that have gradients.
pub fn linear_kernels(x_ti: &Tensor<2>, weight_oi: &Tensor<2>) -> Vec<(String, Product)> {
    let operands = [x_ti, weight_oi].map(|t| t.clone().into_dispatch());
    let names = Dispatch::project_kernels(&operands[0], &operands[1]);
    let kernel = |(place, name)| {
        let operands = operands.clone();
        let run = move || {
            let [x, weight] = operands.clone();
            Tensor::from_dispatch(Dispatch::project_by(x, weight, place))
        };
        (name, Box::new(run) as Product)
    };
    names.into_iter().enumerate().map(kernel).collect()
}
