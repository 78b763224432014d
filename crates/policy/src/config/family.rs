//! The families of decoders: their names, and what each takes where a file does not say.

use super::RopeScaling;

/// Which family of decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `LlamaForCausalLM`: Llama-3.x, SmolLM2.
    Llama,
    /// `Qwen2ForCausalLM`: with a bias on queries, keys and values.
    Qwen2,
    /// `Qwen3ForCausalLM`: with an RMSNorm on every head's queries and keys.
    Qwen3,
    /// `SmolLM3ForCausalLM`: with layers whose queries and keys are not rotated (Yang et al., "Rope to Nope and Back
    /// Again", arXiv 2501.18795).
    SmolLM3,
    /// `GraniteForCausalLM`: Granite-3.x, dense, with [`Multipliers`].
    Granite,
    /// `Gemma3ForCausalLM`: Gemma 3 of text alone (270M, 1B, FunctionGemma), with [`Sliding`] layers; RMSNorms multiply
    /// by 1 + w, stand behind attention and feed-forward too, and on every head's queries and keys; the gate is GELU.
    Gemma3,
}

/// Layers that attend to a window alone, and have rotary frequencies of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Sliding {
    /// Which, from 0 on.
    pub layers: Vec<usize>,
    /// Tokens that each token sees, itself among them.
    pub window: usize,
    /// Base of their rotary frequencies.
    pub rope_theta: f64,
    /// The change of these for longer contexts.
    pub rope_scaling: RopeScaling,
}

/// What numbers are multiplied by on their way, 1 where a family has no such factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Multipliers {
    /// Multiplies the tokens' embeddings, but not the table where that is the head.
    pub embedding: f32,
    /// Whether that factor is rounded to the table's type, as Gemma's is.
    pub rounded_embedding: bool,
    /// Multiplies queries, beside attention's `1 / sqrt(head's width)`.
    pub queries: f32,
    /// Multiplies what attention and feed-forward add to the residual stream.
    pub residual: f32,
    /// Multiplies logits.
    pub logits: f32,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self { embedding: 1.0, rounded_embedding: false, queries: 1.0, residual: 1.0, logits: 1.0 }
    }
}

impl Architecture {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Llama, Self::Qwen2, Self::Qwen3, Self::SmolLM3, Self::Granite, Self::Gemma3];

    /// The family in the names of its classes.
    pub(super) fn family(self) -> &'static str {
        match self {
            Self::Llama => "Llama",
            Self::Qwen2 => "Qwen2",
            Self::Qwen3 => "Qwen3",
            Self::SmolLM3 => "SmolLM3",
            Self::Granite => "Granite",
            Self::Gemma3 => "Gemma3",
        }
    }

    /// Its class with a head.
    pub(super) fn class(self, head: &str) -> String {
        format!("{}{head}", self.family())
    }

    /// As `model_type` has it.
    pub(super) fn model_type(self) -> String {
        let suffix = if self == Self::Gemma3 { "_text" } else { "" };
        self.family().to_lowercase() + suffix
    }

    /// The longest context, in tokens.
    pub(super) fn default_positions(self) -> usize {
        match self {
            Self::Llama | Self::Granite => 2048,
            Self::Qwen2 | Self::Qwen3 | Self::SmolLM3 => 32_768,
            Self::Gemma3 => 131_072,
        }
    }

    /// The base of the rotary frequencies.
    pub(super) fn default_theta(self) -> f64 {
        match self {
            Self::Llama | Self::Qwen2 | Self::Qwen3 | Self::Granite => 10_000.0,
            Self::SmolLM3 => 2_000_000.0,
            Self::Gemma3 => 1_000_000.0,
        }
    }

    /// A head's width, where it is not the hidden width's share.
    pub(super) fn default_head_dim(self) -> Option<usize> {
        match self {
            Self::Qwen3 => Some(128),
            Self::Gemma3 => Some(256),
            _ => None,
        }
    }

    /// Whether there is an RMSNorm on every head's queries and keys.
    pub(crate) fn norms_heads(self) -> bool {
        matches!(self, Self::Qwen3 | Self::Gemma3)
    }

    /// The heads of keys and values beside so many of queries, where there is no such key. (Where it is null, there are
    /// as many.)
    pub(super) fn default_kv(self, query: usize) -> usize {
        match self {
            Self::Llama | Self::Granite => query,
            Self::Qwen2 | Self::Qwen3 => 32,
            Self::SmolLM3 | Self::Gemma3 => 4,
        }
    }

    /// Whether the head is the embedding table.
    pub(super) fn ties_by_default(self) -> bool {
        matches!(self, Self::SmolLM3 | Self::Gemma3)
    }
}

/// What follows the family in the name of an architecture: a language model.
pub(crate) const CAUSAL: &str = "ForCausalLM";
/// As [`CAUSAL`]: a head that gives each token numbers, of which a critic has one.
pub(crate) const CRITIC: &str = "ForTokenClassification";
/// The policies that there are.
pub(super) const ARCHITECTURES: &str = "LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, SmolLM3ForCausalLM, GraniteForCausalLM, \
     Gemma3ForCausalLM";
/// Their model types.
pub(super) const MODEL_TYPES: &str = "llama, qwen2, qwen3, smollm3, granite, gemma3_text";
