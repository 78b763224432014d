//! Copies of a model on further devices, and the sum of the gradients that each computed.

use burn::module::Module;
use burn::tensor::distributed::ReduceOperation;
use burn::tensor::{Device, Tensor, TensorData};
use toolrl_kernels::is_cpu;

use crate::backward::GradientsOf;
use crate::gradients::Gradient;
use crate::masters::Masters;
use crate::policy::floats;
use crate::{ParameterGradients, Policy};

impl Policy {
    /// The policy on another device, to the bit, the exact values of weights in training with it. On the device that it
    /// is on, a clone.
    #[must_use]
    pub fn on_device(&self, device: &Device) -> Self {
        let masters = self.masters.clone().map(|masters| masters.on_device(device));
        Self { decoder: self.decoder.clone().fork(device), masters, ..self.clone() }
    }

    /// Whether it is on the CPU.
    pub fn is_on_cpu(&self) -> bool {
        is_cpu(&self.decoder.head().device())
    }

    /// Gradients of a loss that depends on no parameter.
    pub fn zero_gradients(&self) -> ParameterGradients {
        GradientsOf::read(self, &self.decoder, None)
    }
}

impl Masters {
    fn on_device(self, device: &Device) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers),
            Self::Tensors(tensors) => {
                Self::Tensors(tensors.into_iter().map(|tensor| tensor.to_device(device)).collect())
            }
        }
    }
}

impl ParameterGradients {
    /// The sum of one model's gradients on several devices, on each of them: burn's all-reduce, parameter after
    /// parameter. Between different NVIDIA GPUs it is NCCL's where that can be loaded; elsewhere, and where a device
    /// stands several times, the first device adds them up in their order. Every device has the same sum to the bit.
    #[must_use]
    pub fn all_reduce(of_devices: Vec<Self>) -> Vec<Self> {
        if of_devices.len() < 2 {
            return of_devices;
        }
        let mut sums: Vec<Self> = of_devices.iter().map(|_| Self::default()).collect();
        let mut of_devices: Vec<_> = of_devices.into_iter().map(|of| of.0.into_iter()).collect();
        loop {
            let parameter: Vec<Gradient> = of_devices.iter_mut().filter_map(Iterator::next).collect();
            if parameter.len() < sums.len() {
                return sums;
            }
            let on_cpu = parameter.iter().all(|gradient| matches!(gradient, Gradient::Numbers(_)));
            let tensors = parameter.into_iter().map(Gradient::into_tensor).collect();
            for (sum, tensor) in sums.iter_mut().zip(Tensor::all_reduce(tensors, ReduceOperation::Sum)) {
                sum.0.push(match on_cpu {
                    true => Gradient::Numbers(floats(tensor)),
                    false => Gradient::Tensor(Box::new(tensor)),
                });
            }
        }
    }
}

impl Gradient {
    fn into_tensor(self) -> Tensor<1> {
        match self {
            Self::Tensor(tensor) => *tensor,
            Self::Numbers(numbers) => {
                let shape = [numbers.len()];
                Tensor::from_data(TensorData::new(numbers, shape), &Device::flex())
            }
        }
    }
}

#[cfg(test)]
#[path = "replica_tests.rs"]
mod tests;
