//! Gradients where they were computed, so that those of many passes add up without leaving a GPU.

use burn::tensor::{FloatDType, Tensor};
use rayon::prelude::*;
use toolrl_kernels::is_cpu;

use crate::policy::floats;

/// Numbers that one thread takes at a time.
const PART: usize = 1 << 16;

/// Gradients of the trained parameters, in the order of [`crate::Policy::parameters`]: numbers on the CPU, tensors on
/// any other device.
#[derive(Debug, Default)]
pub struct ParameterGradients(pub(crate) Vec<Gradient>);

#[derive(Debug)]
pub(crate) enum Gradient {
    Numbers(Vec<f32>),
    Tensor(Box<Tensor<1>>),
}

impl ParameterGradients {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of another pass; to nothing, they are the sum.
    pub fn add(&mut self, more: Self) {
        if self.0.is_empty() {
            *self = more;
            return;
        }
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            sum.add(more);
        }
    }

    /// Row-major numbers of each parameter.
    pub fn into_values(self) -> Vec<Vec<f32>> {
        self.0.into_iter().map(Gradient::into_numbers).collect()
    }

    /// One tensor a parameter, flat, in f32; themselves where they are on the CPU.
    ///
    /// # Errors
    /// The gradients, where they are numbers.
    pub fn into_tensors(self) -> Result<Vec<Tensor<1>>, Self> {
        let is_tensor = |gradient: &Gradient| matches!(gradient, Gradient::Tensor(_));
        if !self.0.iter().all(is_tensor) {
            return Err(self);
        }
        let tensor = |gradient| match gradient {
            Gradient::Tensor(tensor) => Some(*tensor),
            Gradient::Numbers(_) => None,
        };
        Ok(self.0.into_iter().filter_map(tensor).collect())
    }

    /// That of the next parameter; zeros where the loss does not depend on it.
    pub(crate) fn push<const D: usize>(&mut self, parameter: &Tensor<D>, gradient: Option<Tensor<D>>) {
        let numbers = parameter.shape().num_elements();
        let on_cpu = is_cpu(&parameter.device());
        self.0.push(match gradient {
            Some(gradient) if on_cpu => Gradient::Numbers(floats(gradient)),
            None if on_cpu => Gradient::Numbers(vec![0.0; numbers]),
            Some(gradient) => Gradient::Tensor(Box::new(gradient.cast(FloatDType::F32).reshape([numbers]))),
            None => {
                let device = parameter.device().without_autodiff();
                Gradient::Tensor(Box::new(Tensor::zeros([numbers], (&device, burn::tensor::DType::F32))))
            }
        });
    }

    /// Numbers of each parameter.
    pub(crate) fn of_values(values: Vec<Vec<f32>>) -> Self {
        Self(values.into_iter().map(Gradient::Numbers).collect())
    }

    /// Those of the next parameters.
    pub(crate) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Adds to the first parameter's rows, the embedding table's, the gradient of each token's embedding.
    pub(crate) fn add_rows(&mut self, tokens: &toolrl_kernels::Ids, by_x: Tensor<2>) {
        let [_, width] = by_x.dims();
        match self.0.first_mut() {
            Some(Gradient::Numbers(table)) => {
                for (&token, by_row) in tokens.iter().zip(floats(by_x).chunks_exact(width)) {
                    let row = &mut table[token as usize * width..][..width];
                    row.iter_mut().zip(by_row).for_each(|(total, more)| *total += more);
                }
            }
            Some(Gradient::Tensor(table)) => {
                let numbers = table.dims()[0];
                let rows = toolrl_kernels::sum_by_id(by_x, tokens.clone(), numbers / width.max(1));
                **table = *table.clone() + rows.reshape([numbers]);
            }
            None => {}
        }
    }
}

impl Gradient {
    fn add(&mut self, more: Self) {
        match (self, more) {
            (Self::Numbers(sum), Self::Numbers(more)) => {
                let parts = sum.par_chunks_mut(PART).zip(more.par_chunks(PART));
                parts.for_each(|(sum, more)| sum.iter_mut().zip(more).for_each(|(s, m)| *s += m));
            }
            // The second operand, which has one owner, takes the sum.
            (Self::Tensor(sum), Self::Tensor(more)) => **sum = *more + *sum.clone(),
            // Passes of one policy are computed on one device, so this is not reached.
            (sum, more) => {
                let numbers = std::mem::replace(sum, Self::Numbers(Vec::new())).into_numbers();
                *sum = Self::Numbers(numbers);
                sum.add(Self::Numbers(more.into_numbers()));
            }
        }
    }

    fn into_numbers(self) -> Vec<f32> {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Tensor(tensor) => floats(*tensor),
        }
    }
}
