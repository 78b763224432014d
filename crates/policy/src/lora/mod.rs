//! Low-rank adapters (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685):
//! beside a frozen weight W stand A and B, and a layer computes `x W^T + alpha / rank * drop(x) A^T B^T`. Adapters of
//! PEFT's other forms are added to the weights when they are read.

mod config;
mod files;
mod matching;
mod options;
mod residual;
mod tensors;
mod within;

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use toolrl_kernels::linear;

use crate::decoder::Decoder;
use crate::layer::Linear;
use crate::policy::{Adapters, Policy, floats};
use crate::{ModelConfig, PolicyError, Precision};

pub use config::AdapterConfig;
pub(crate) use files::{CONFIG, header, is_adapter, load, save};

/// The linear layers that can have an adapter.
pub(crate) const MODULES: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// Settings of the adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Columns of A and rows of B.
    pub rank: usize,
    /// The adapters' output is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// The share of an adapter's inputs, from 0 to below 1, that training sets to zero. The sampler does
    /// not, so that with more than 0 sampler and trainer differ.
    pub dropout: f64,
    /// Names of the linear layers that get one.
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        let target_modules = MODULES.map(str::to_owned).to_vec();
        Self { rank: 16, alpha: 32.0, dropout: 0.0, target_modules }
    }
}

impl LoraConfig {
    /// Refuses settings that no adapter can have.
    ///
    /// # Errors
    /// [`PolicyError::Lora`] naming the setting.
    pub fn check(&self) -> Result<(), PolicyError> {
        let wrong = |message: String| Err(PolicyError::Lora(message));
        if self.rank == 0 {
            return wrong("rank should be at least 1".to_owned());
        }
        if !self.alpha.is_finite() {
            return wrong(format!("alpha = {} should be a number", self.alpha));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong(format!("dropout = {} should be from 0 to below 1", self.dropout));
        }
        if self.target_modules.is_empty() {
            return wrong("target_modules is empty".to_owned());
        }
        match self.target_modules.iter().find(|name| !MODULES.contains(&name.as_str())) {
            Some(name) => wrong(format!("target_modules: no {name:?} among {}", MODULES.join(", "))),
            None => Ok(()),
        }
    }
}

/// One adapter.
#[derive(Module, Debug)]
pub(crate) struct Lora {
    /// `[rank, in]`.
    pub lora_a: Param<Tensor<2>>,
    /// `[out, rank]`.
    pub lora_b: Param<Tensor<2>>,
    #[module(skip)]
    pub scale: f32,
    /// While a training pass runs.
    #[module(skip)]
    pub dropout: Option<Dropout>,
}

/// Zeros for some inputs, as a function of the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    share: f64,
    seed: u64,
}

impl Lora {
    pub(crate) fn forward(&self, x_ti: Tensor<2>) -> Tensor<2> {
        let x_ti = match self.dropout {
            Some(dropout) => dropout.apply(x_ti),
            None => x_ti,
        };
        linear(linear(x_ti, self.lora_a.val()), self.lora_b.val()) * self.scale
    }

    /// What it adds to its weight, in f32.
    fn delta_oi(&self) -> Tensor<2> {
        let [a, b] = [&self.lora_a, &self.lora_b].map(|p| p.val().cast(FloatDType::F32));
        b.matmul(a) * self.scale
    }
}

impl Dropout {
    fn apply(self, x_ti: Tensor<2>) -> Tensor<2> {
        let [t, i] = x_ti.dims();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let kept = (1.0 / (1.0 - self.share)) as f32;
        let mask = (0..t * i).map(|_| if rng.random_bool(self.share) { 0.0 } else { kept });
        let mask = Precision::of(&x_ti).tensor(mask.collect(), [t, i], &x_ti.device());
        x_ti * mask
    }
}

impl Decoder {
    /// Every linear layer with its index among all and its module's name.
    fn linears_mut(&mut self) -> impl Iterator<Item = (usize, &'static str, &mut Linear)> {
        let linears = self.model.layers.iter_mut().flat_map(|layer| {
            let (a, m) = (&mut layer.self_attn, &mut layer.mlp);
            let attention = [&mut a.q_proj, &mut a.k_proj, &mut a.v_proj, &mut a.o_proj];
            MODULES.into_iter().zip(attention.into_iter().chain([
                &mut m.gate_proj,
                &mut m.up_proj,
                &mut m.down_proj,
            ]))
        });
        linears.enumerate().map(|(i, (name, linear))| (i, name, linear))
    }

    /// Lets the adapters drop inputs, each by numbers of its own that follow from the seed.
    pub(crate) fn set_dropout(&mut self, share: f64, seed: u64) {
        for (i, _, linear) in self.linears_mut() {
            if let Some(lora) = &mut linear.lora {
                let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i as u64);
                lora.dropout = (share > 0.0).then_some(Dropout { share, seed });
            }
        }
    }
}

impl Policy {
    /// The policy's adapters, where it has any that are trained.
    pub fn lora(&self) -> Option<&AdapterConfig> {
        match &self.adapters {
            Adapters::Beside(config) => Some(config),
            Adapters::None | Adapters::Within => None,
        }
    }

    /// Whether it was read with adapters, or got some since.
    pub fn has_adapters(&self) -> bool {
        !matches!(self.adapters, Adapters::None)
    }

    /// The policy with fresh adapters, which alone are trained from then on. They change nothing yet: A is
    /// uniform in `±1/sqrt(inputs)`, B zero.
    ///
    /// # Errors
    /// [`PolicyError::Lora`] for settings out of range, or a policy that has adapters already.
    pub fn with_lora(self, config: &LoraConfig, seed: u64) -> Result<Self, PolicyError> {
        config.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.with_adapters(config.into(), |_, [rank, inputs], [outputs, _]| {
            let bound = 1.0 / (inputs as f32).sqrt();
            let a = (0..rank * inputs).map(|_| rng.random_range(-bound..bound)).collect();
            Some((a, vec![0.0; outputs * rank]))
        })
    }

    /// The policy with adapters whose values `values(path of the linear layer, shape of A, shape of B)` gives; a layer
    /// without values has none.
    fn with_adapters(
        mut self,
        config: AdapterConfig,
        mut values: impl FnMut(&str, [usize; 2], [usize; 2]) -> Option<(Vec<f32>, Vec<f32>)>,
    ) -> Result<Self, PolicyError> {
        match self.adapters {
            Adapters::None => {}
            Adapters::Beside(_) => {
                return Err(PolicyError::Lora("the policy has adapters already".to_owned()));
            }
            Adapters::Within => {
                let advice =
                    "the policy has adapters of a form that is not trained: `toolrl policy merge` it first";
                return Err(PolicyError::Lora(advice.to_owned()));
            }
        }
        let device = self.decoder.head().device();
        let mut decoder = self.decoder.no_grad();
        for (i, module, linear) in decoder.linears_mut() {
            let path = layer_name(i, module);
            if !config.has(&path) {
                continue;
            }
            let [outputs, inputs] = linear.weight.dims();
            let (rank, scale) = config.rank_and_scale(&path);
            let (a_shape, b_shape) = ([rank, inputs], [outputs, rank]);
            let Some((a, b)) = values(&path, a_shape, b_shape) else { continue };
            let precision = Precision::of(&linear.weight.val());
            let param = |values, shape| param(values, precision, shape, &device);
            let (lora_a, lora_b) = (param(a, a_shape), param(b, b_shape));
            linear.lora = Some(Lora { lora_a, lora_b, scale, dropout: None });
        }
        self.decoder = decoder;
        self.adapters = Adapters::Beside(Arc::new(config));
        self.masters = None;
        Ok(self)
    }

    /// The policy without its adapters: the base that they started from, sharing its weights.
    #[must_use]
    pub fn without_lora(&self) -> Self {
        let mut base = self.clone();
        base.decoder.linears_mut().for_each(|(_, _, linear)| linear.lora = None);
        base.adapters = Adapters::None;
        base.masters = None;
        base
    }

    /// The policy with its adapters added to the weights, which are then parameters like any other.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut merged = self.clone();
        let device = merged.decoder.head().device();
        for (_, _, linear) in merged.decoder.linears_mut() {
            if let Some(lora) = linear.lora.take() {
                let (weight, shape) = (linear.weight.val(), linear.weight.dims());
                let precision = Precision::of(&weight);
                let merged = floats(weight.cast(FloatDType::F32) + lora.delta_oi());
                linear.weight = param(merged, precision, shape, &device);
            }
        }
        merged.merged |= self.has_adapters();
        merged.adapters = Adapters::None;
        merged.masters = None;
        merged
    }
}

fn param(values: Vec<f32>, precision: Precision, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(precision.tensor(values, shape, device))
}

/// The name of a linear layer, given its index among all.
fn layer_name(index: usize, module: &str) -> String {
    let block = if MODULES[..4].contains(&module) { "self_attn" } else { "mlp" };
    format!("model.layers.{}.{block}.{module}", index / MODULES.len())
}

impl ModelConfig {
    /// Number of parameters that adapters add to those that are trained.
    pub fn lora_params(&self, config: &AdapterConfig) -> u64 {
        let of_module = |(name, shape): &(String, Vec<usize>)| {
            let path = name.strip_suffix(".weight").filter(|path| config.has(path))?;
            Some((config.rank_and_scale(path).0 * shape.iter().sum::<usize>()) as u64)
        };
        if !config.is_trained() {
            return 0;
        }
        self.parameter_shapes().iter().filter_map(of_module).sum()
    }
}
