//! The rotary frequencies of a configuration: transformers' `modeling_rope_utils`, in f32 as there.

use std::f64::consts::TAU;

use toolrl_kernels::RopeTable;

use crate::{ModelConfig, RopeScaling};

/// What the angles of a position follow from.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    theta: f64,
    dim: usize,
    scaling: RopeScaling,
    max_positions: usize,
    /// Up to the longest context.
    inverse_frequencies: Vec<f32>,
}

impl Rope {
    /// That of a configuration's layers, but for those that slide.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self::with(config.rope_theta, config.rope_scaling, config)
    }

    /// Of a base and its change.
    pub(crate) fn with(theta: f64, scaling: RopeScaling, config: &ModelConfig) -> Self {
        let dim = config.heads.dim;
        let inverse_frequencies = scaled(theta, dim, scaling);
        Self { theta, dim, scaling, max_positions: config.max_positions, inverse_frequencies }
    }

    /// Cosines and sines of tokens at these positions.
    pub(crate) fn table(&self, positions: &[usize]) -> RopeTable {
        let tokens = positions.iter().max().map_or(0, |last| last + 1);
        match self.scaling {
            RopeScaling::Dynamic { factor } if tokens > self.max_positions => {
                let grown = factor * tokens as f64 / self.max_positions as f64 - (factor - 1.0);
                let dim = self.dim as f64;
                let theta = self.theta * grown.powf(dim / (dim - 2.0));
                RopeTable::new(positions, &plain(theta, self.dim).collect::<Vec<_>>())
            }
            RopeScaling::Yarn { attention_factor, .. } => {
                RopeTable::new(positions, &self.inverse_frequencies).scaled(attention_factor as f32)
            }
            _ => RopeTable::new(positions, &self.inverse_frequencies),
        }
    }
}

/// `theta^(-2i/dim)`, `dim / 2` of them.
fn plain(theta: f64, dim: usize) -> impl Iterator<Item = f32> {
    (0..dim / 2).map(move |i| 1.0 / (theta as f32).powf((2 * i) as f32 / dim as f32))
}

fn scaled(theta: f64, dim: usize, scaling: RopeScaling) -> Vec<f32> {
    let plain = plain(theta, dim);
    match scaling {
        RopeScaling::None | RopeScaling::Dynamic { .. } => plain.collect(),
        RopeScaling::Linear { factor } => plain.map(|f| f / factor as f32).collect(),
        RopeScaling::Llama3 { factor, low, high, original } => {
            plain.map(|f| llama3(f64::from(f), factor, low, high, original) as f32).collect()
        }
        RopeScaling::Yarn { factor, original, fast, slow, truncate, .. } => {
            let turning = |turns: f64| dim as f64 * (original / (turns * TAU)).ln() / (2.0 * theta.ln());
            let (first, last) = (turning(fast), turning(slow));
            let (first, last) = if truncate { (first.floor(), last.ceil()) } else { (first, last) };
            yarn(plain, factor as f32, first.max(0.0), last.min(dim as f64 - 1.0))
        }
    }
}

/// Kept up to component `first`, divided by `factor` from component `last` on, a ramp between.
fn yarn(plain: impl Iterator<Item = f32>, factor: f32, first: f64, last: f64) -> Vec<f32> {
    let width = if first == last { 0.001 } else { last - first };
    let ramp = |i: usize| ((i as f32 - first as f32) / width as f32).clamp(0.0, 1.0);
    plain.enumerate().map(|(i, f)| f / factor * ramp(i) + f * (1.0 - ramp(i))).collect()
}

fn llama3(frequency: f64, factor: f64, low: f64, high: f64, original: f64) -> f64 {
    let wavelength = TAU / frequency;
    if wavelength > original / low {
        frequency / factor
    } else if wavelength < original / high {
        frequency
    } else {
        let smooth = (original / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
