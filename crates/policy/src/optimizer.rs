//! AdamW where a policy is computed: on a GPU, masters and moments stay there, and nothing crosses to the host.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use toolrl_kernels::{AdamWState, AdamWStep, Mirrored, checksums, is_cpu};

use crate::masters::Masters;
use crate::policy::{floats, hollow};
use crate::trained::TrainedPath;
use crate::{Policy, Precision};

/// AdamW's two moments of every trained parameter, in the order of [`Policy::update`], where gradients are tensors.
#[derive(Debug, Default)]
pub struct DeviceMoments(Vec<[Tensor<1>; 2]>);

impl DeviceMoments {
    /// From numbers, for a step on the device of the gradients; of nothing, zeros.
    pub fn new(values: &[(Vec<f32>, Vec<f32>)], gradients: &[Tensor<1>]) -> Self {
        if values.is_empty() {
            let zeros =
                |gradient: &Tensor<1>| Tensor::zeros(gradient.shape(), (&gradient.device(), DType::F32));
            return Self(gradients.iter().map(|gradient| [0, 1].map(|_| zeros(gradient))).collect());
        }
        let put = |values: &Vec<f32>, device: &Device| {
            Tensor::from_data(TensorData::new(values.clone(), [values.len()]), (device, DType::F32))
        };
        let of = |((mean, square), gradient): (&(Vec<f32>, Vec<f32>), &Tensor<1>)| {
            let device = gradient.device();
            [put(mean, &device), put(square, &device)]
        };
        Self(values.iter().zip(gradients).map(of).collect())
    }

    /// As numbers.
    pub fn values(&self) -> Vec<(Vec<f32>, Vec<f32>)> {
        self.0.iter().map(|[mean, square]| (floats(mean.clone()), floats(square.clone()))).collect()
    }
}

impl Policy {
    /// One step of AdamW on the parameters that are trained, given the tensors of
    /// [`ParameterGradients::into_tensors`](crate::ParameterGradients::into_tensors), which are multiplied by
    /// `grad_scale` first. As with [`Policy::update`], a policy in bf16 holds its values in f32 from the first step on,
    /// and its weights are their roundings.
    pub fn adamw(
        &mut self,
        gradients: Vec<Tensor<1>>,
        moments: &mut DeviceMoments,
        step: &AdamWStep,
        grad_scale: f32,
    ) {
        self.forget_prompts();
        let masters = match (self.masters.take(), self.precision()) {
            (_, Precision::F32) => None,
            (Some(masters), _) => Some(masters.into_tensors(&gradients)),
            (None, _) => Some(self.flat_trained()),
        };
        let state = std::mem::take(&mut moments.0);
        let mut walk = AdamWWalk {
            step,
            grad_scale: grad_scale.into(),
            trained: TrainedPath::of(self),
            gradients: gradients.into_iter(),
            moments: state.into_iter(),
            masters: masters.map(Vec::into_iter),
            stepped: Vec::new(),
            new_masters: Vec::new(),
        };
        let hollow = hollow(&self.config, &self.decoder.head().device());
        let decoder = std::mem::replace(&mut self.decoder, hollow);
        self.decoder = decoder.map(&mut walk);
        moments.0 = walk.stepped;
        self.masters = (!walk.new_masters.is_empty()).then_some(Masters::Tensors(walk.new_masters));
    }

    /// A checksum of the exact values of each trained parameter, made where they are; `None` on the CPU.
    pub fn checksums(&self) -> Option<Vec<u32>> {
        if is_cpu(&self.decoder.head().device()) {
            return None;
        }
        match &self.masters {
            Some(Masters::Tensors(masters)) => Some(checksums(masters)),
            Some(Masters::Numbers(_)) => None,
            None => Some(checksums(&self.flat_trained())),
        }
    }

    /// The trained parameters as flat tensors of f32.
    fn flat_trained(&self) -> Vec<Tensor<1>> {
        let mut read = Flat { trained: TrainedPath::of(self), out: Vec::new() };
        self.decoder.visit(&mut read);
        read.out
    }
}

struct Flat {
    trained: TrainedPath,
    out: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flat {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.trained.here() {
            let (value, numbers) = (param.val(), param.val().shape().num_elements());
            self.out.push(value.cast(FloatDType::F32).reshape([numbers]));
        }
    }
}

/// A walk over the parameters that changes each by a step.
struct AdamWWalk<'a> {
    step: &'a AdamWStep,
    grad_scale: Mirrored<f32>,
    trained: TrainedPath,
    gradients: std::vec::IntoIter<Tensor<1>>,
    moments: std::vec::IntoIter<[Tensor<1>; 2]>,
    masters: Option<std::vec::IntoIter<Tensor<1>>>,
    stepped: Vec<[Tensor<1>; 2]>,
    new_masters: Vec<Tensor<1>>,
}

impl AdamWWalk<'_> {
    /// A parameter's value after the step.
    fn next<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let (Some(gradient), Some([mean, mean_square])) = (self.gradients.next(), self.moments.next()) else {
            return tensor;
        };
        let (shape, stored) = (tensor.shape(), FloatDType::from(tensor.dtype()));
        let param = match &mut self.masters {
            Some(masters) => masters.next(),
            None => None,
        };
        let in_masters = param.is_some();
        let numbers = shape.num_elements();
        let param = param.unwrap_or_else(|| tensor.reshape([numbers]));
        let state = AdamWState { param, mean, mean_square };
        let state = toolrl_kernels::adamw(state, gradient, self.grad_scale.clone(), self.step);
        self.stepped.push([state.mean, state.mean_square]);
        if in_masters {
            self.new_masters.push(state.param.clone());
        }
        state.param.cast(stored).reshape(shape)
    }
}

impl ModuleMapper for AdamWWalk<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.trained.here() { param.map(|tensor| self.next(tensor)) } else { param }
    }
}
