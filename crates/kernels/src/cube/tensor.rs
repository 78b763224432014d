//! Burn's GPU tensors as the kernels' buffers, and buffers as tensors.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::{cast, into_contiguous};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::Client;
use toolrl_cube::{Buffer, CubeError, Dtype};

use crate::containers::Tensors;

/// The last dimension: how wide a row is.
pub(super) fn width(t: &CubeTensor) -> usize {
    t.shape().as_slice().last().copied().unwrap_or(1)
}

/// Rows of that width.
pub(super) fn rows(t: &CubeTensor) -> usize {
    t.shape().num_elements() / width(t).max(1)
}

/// How a tensor's numbers are stored.
pub(super) fn storage(dtype: DType) -> Dtype {
    match dtype {
        DType::BF16 => Dtype::Bf16,
        DType::F16 => Dtype::F16,
        _ => Dtype::F32,
    }
}

/// A tensor with its rows one after the other. (Runtimes may leave a gap after each row.)
pub(super) fn contiguous(t: CubeTensor) -> CubeTensor {
    into_contiguous(t)
}

/// A tensor that may be written over: a copy where someone else still reads it.
pub(super) fn writable(t: CubeTensor) -> CubeTensor {
    if t.can_mut() { t } else { t.copy() }
}

/// A contiguous tensor's memory.
pub(super) fn buffer(t: &CubeTensor) -> Buffer {
    Buffer::new(t.handle.clone(), t.shape().num_elements(), storage(t.dtype))
}

/// A tensor of a buffer's memory, on the device of `of`.
pub(super) fn tensor(of: &CubeTensor, buffer: &Buffer, shape: impl Into<Shape>) -> CubeTensor {
    let dtype = match buffer.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    };
    let (client, device) = (of.client.clone(), of.device.clone());
    CubeTensor::new_contiguous(client, device, shape.into(), buffer.handle().clone(), dtype)
}

/// As [`tensor`], with the shape of `of`.
pub(super) fn like(of: &CubeTensor, buffer: &Buffer) -> CubeTensor {
    tensor(of, buffer, of.shape())
}

/// What a kernel returned. Like burn's own operations, the fused ones panic on shapes that do not fit.
pub(super) fn fits<T>(result: Result<T, CubeError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Rows and columns swapped, without a copy.
pub(super) fn transposed(t: CubeTensor) -> CubeTensor {
    CubeBackend::float_swap_dims(t, 0, 1)
}

/// A tensor stored as `dtype`.
pub(super) fn stored(t: CubeTensor, dtype: DType) -> CubeTensor {
    cast(t, dtype)
}

impl Tensors<CubeBackend> {
    /// Their memory, and the queue of their device. There is a first, by which the operation came here.
    pub(super) fn buffers(self) -> (Client, Vec<Buffer>) {
        let client = self.0[0].client.clone();
        (client, self.0.into_iter().map(|t| buffer(&contiguous(t))).collect())
    }
}
