//! The exact values of trained parameters that are stored in bf16.

use burn::tensor::{DType, Tensor, TensorData};

use crate::Policy;
use crate::policy::floats;
use crate::prompts::KeptPrompts;

/// One run of f32 a trained parameter: numbers that the host changes, or tensors that a GPU does.
#[derive(Clone, Debug)]
pub(crate) enum Masters {
    Numbers(Vec<Vec<f32>>),
    Tensors(Vec<Tensor<1>>),
}

impl Masters {
    /// As numbers.
    pub(crate) fn into_numbers(self) -> Vec<Vec<f32>> {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Tensors(tensors) => tensors.into_iter().map(floats).collect(),
        }
    }

    /// As tensors, each where its gradient is.
    pub(crate) fn into_tensors(self, gradients: &[Tensor<1>]) -> Vec<Tensor<1>> {
        let put = |(values, gradient): (Vec<f32>, &Tensor<1>)| {
            let data = TensorData::new(values, gradient.shape());
            Tensor::from_data(data, (&gradient.device(), DType::F32))
        };
        match self {
            Self::Numbers(numbers) => numbers.into_iter().zip(gradients).map(put).collect(),
            Self::Tensors(tensors) => tensors,
        }
    }
}

impl Policy {
    /// The policy as it computes, without the exact values that training keeps of weights in bf16.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self {
            decoder: self.decoder.clone(),
            adapters: self.adapters.clone(),
            masters: None,
            kept: KeptPrompts::default(),
            config: self.config.clone(),
            generation: self.generation.clone(),
            source: self.source.clone(),
            merged: self.merged,
        }
    }
}
