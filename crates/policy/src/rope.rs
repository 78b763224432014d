//! The rotary frequencies of a configuration.

use std::f64::consts::TAU;

use crate::{ModelConfig, RopeScaling};

impl ModelConfig {
    /// Inverse frequencies of the rotary embedding, `head_dim / 2` of them: `theta^(-2i/dim)`, scaled
    /// as the configuration says (Llama 3.1's rule, as published with its weights).
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let dim = self.heads.dim;
        let plain = (0..dim / 2).map(|i| {
            let exponent = (2 * i) as f32 / dim as f32;
            1.0 / (self.rope_theta as f32).powf(exponent)
        });
        match self.rope_scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Llama3 { factor, low, high, original } => {
                plain.map(|f| llama3(f64::from(f), factor, low, high, original) as f32).collect()
            }
        }
    }
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
