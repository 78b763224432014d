//! The shapes that are timed, what they cost at least, and what devices can do at most.

use serde_json::{Value, json};
use toolrl_policy::{ModelConfig, PolicyError};

/// What a device does at most, by its maker's data sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    /// Dense bf16 operations a second, of tensor cores.
    pub flops: f64,
    /// Bytes a second, of its memory.
    pub bytes: f64,
}

impl Peak {
    /// That of a device by its name; none where it is not known.
    pub fn of(name: &str) -> Option<Self> {
        // The first name that fits counts: H100's PCIe card and NVL are slower than the SXM one.
        let known = [
            ("H100 PCIe", 756e12, 2.0e12),
            ("H100 NVL", 835e12, 3.9e12),
            ("H100", 989e12, 3.35e12),
            ("H200", 989e12, 4.8e12),
            ("A100-SXM4-80GB", 312e12, 2.04e12),
            ("A100", 312e12, 1.56e12),
        ];
        known.iter().find(|(part, ..)| name.contains(part)).map(|&(_, flops, bytes)| Self { flops, bytes })
    }
}

/// A decoder's shape with its name.
pub(super) struct Shape {
    pub name: &'static str,
    pub config: ModelConfig,
}

impl Shape {
    /// Qwen2.5's sizes as published with its weights, or toys of the same form.
    pub fn all(tiny: bool) -> Result<Vec<Self>, PolicyError> {
        if tiny {
            return Ok(vec![Self::qwen2("tiny", [64, 192, 2, 4, 2], 512)?]);
        }
        Ok(vec![
            Self::qwen2("qwen2.5-0.5b", [896, 4864, 24, 14, 2], 151_936)?,
            Self::qwen2("qwen2.5-1.5b", [1536, 8960, 28, 12, 2], 151_936)?,
        ])
    }

    fn qwen2(name: &'static str, sizes: [usize; 5], vocabulary: usize) -> Result<Self, PolicyError> {
        let [hidden, inner, layers, query, kv] = sizes;
        let raw = json!({
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "hidden_act": "silu",
            "hidden_size": hidden,
            "intermediate_size": inner,
            "max_position_embeddings": 32_768,
            "num_attention_heads": query,
            "num_hidden_layers": layers,
            "num_key_value_heads": kv,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1_000_000.0,
            "tie_word_embeddings": true,
            "vocab_size": vocabulary,
            "eos_token_id": Value::Null,
        });
        Ok(Self { name, config: ModelConfig::from_value(raw)? })
    }

    /// Weights that multiply every token: all matrices, the head's among them.
    pub fn multiplied(&self) -> f64 {
        let shapes = self.config.parameter_shapes();
        let matrices = shapes.iter().filter(|(_, shape)| shape.len() == 2);
        matrices.map(|(_, shape)| shape.iter().product::<usize>() as f64).sum()
    }

    /// Operations of a forward and backward pass over `sequences` sequences of `length` tokens, the head on all of
    /// them: 6 a weight and token, and causal attention's 6 a layer, query head's component and pair of tokens that
    /// see each other, once for scores and once for values.
    pub fn training_flops(&self, sequences: usize, length: usize) -> f64 {
        let (tokens, heads) = ((sequences * length) as f64, self.config.heads);
        let pairs = sequences as f64 * (length as f64) * (length as f64 + 1.0) / 2.0;
        let attention = 12.0 * self.config.layers as f64 * (heads.query * heads.dim) as f64 * pairs;
        6.0 * self.multiplied() * tokens + attention
    }

    /// Bytes that a decoding step of `batch` replies, `context` tokens each, reads at least in bf16: every matrix
    /// once, every cached key and value once.
    pub fn decoding_bytes(&self, batch: usize, context: usize) -> f64 {
        let heads = self.config.heads;
        let cache = 2 * self.config.layers * heads.kv * heads.dim * batch * context;
        2.0 * (self.multiplied() + cache as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_s_shape_by_hand() {
        let shape = Shape::all(false).unwrap().pop().unwrap();
        // 28 layers of 1536 x (1536 + 2 * 256 + 1536 + 3 * 8960), and the table of 151,936 x 1536.
        assert_eq!(shape.multiplied(), 28.0 * 1536.0 * 30_464.0 + 151_936.0 * 1536.0);
        // One sequence of one token: its only pair is with itself.
        assert_eq!(shape.training_flops(1, 1), 6.0 * shape.multiplied() + 12.0 * 28.0 * 1536.0);
        // A token's keys and values: 2 x 28 x 256 numbers of 2 bytes.
        let step = shape.decoding_bytes(1, 1) - shape.decoding_bytes(1, 0);
        assert_eq!(step, 28_672.0);
    }

    #[test]
    fn peaks_are_found_by_the_driver_s_names() {
        assert_eq!(Peak::of("cuda NVIDIA H100 80GB HBM3").unwrap().flops, 989e12);
        assert_eq!(Peak::of("cuda NVIDIA H100 PCIe").unwrap().flops, 756e12);
        assert_eq!(Peak::of("cpu"), None);
    }
}
