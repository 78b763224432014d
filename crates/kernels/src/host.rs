//! Tensors of the CPU as plain numbers.

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;
use toolrl_cpu::numbers::Floats;

use crate::flex::stored;

/// The numbers of a tensor of f32 or bf16 on the CPU, row-major, where they lie.
#[derive(Clone, Debug)]
pub struct HostTensor(FlexTensor);

impl HostTensor {
    /// `None` of one that is stored otherwise, lies elsewhere, or has gradients.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        match tensor.into_dispatch().kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor))
                if matches!(tensor.dtype(), DType::F32 | DType::BF16) =>
            {
                Some(Self(tensor.to_contiguous()))
            }
            _ => None,
        }
    }

    /// As they are stored.
    pub fn floats(&self) -> Floats<'_> {
        stored(&self.0)
    }
}
