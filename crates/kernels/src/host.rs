//! Tensors of the CPU as plain numbers.

use std::ops::Deref;

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;

/// The numbers of a tensor of f32 on the CPU, row-major, where they lie.
#[derive(Clone, Debug)]
pub struct HostTensor(FlexTensor);

impl HostTensor {
    /// `None` of one that is stored otherwise, lies elsewhere, or has gradients.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        match tensor.into_dispatch().kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor)) if tensor.dtype() == DType::F32 => {
                Some(Self(tensor.to_contiguous()))
            }
            _ => None,
        }
    }
}

impl Deref for HostTensor {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.storage()
    }
}
