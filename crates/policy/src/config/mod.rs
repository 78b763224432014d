//! `config.json`: the sizes and options of a decoder, read as transformers 5.24 reads them. What would change the
//! numbers and is not built here is refused by name; where two keys contradict each other, the one that transformers
//! takes counts, and a warning names both.

mod by_family;
mod family;
mod keys;
mod rope;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use toolrl_kernels::Heads;

use crate::PolicyError;
use family::ARCHITECTURES;
pub use family::{Architecture, Multipliers, Sliding};
pub(crate) use family::{CAUSAL, CRITIC};
pub(crate) use keys::Keys;

/// How rotary frequencies are changed for longer contexts: the rope types of transformers but for `longrope`, whose
/// frequencies depend on the longest sequence of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// All frequencies divided by a factor.
    Linear {
        /// Divides the frequencies.
        factor: f64,
    },
    /// As trained up to the longest context; for tokens beyond it, the base grows with the longest sequence (NTK).
    Dynamic {
        /// How many times the context may grow.
        factor: f64,
    },
    /// YaRN (Peng et al., arXiv 2309.00071): low frequencies divided by `factor`, high ones kept, a ramp between.
    Yarn {
        /// Divides the low frequencies.
        factor: f64,
        /// The context the model was first trained on, in tokens.
        original: f64,
        /// Components that turn more often than this in the original context are kept.
        fast: f64,
        /// Components that turn less often than this in the original context are divided.
        slow: f64,
        /// Whether the ramp's ends are rounded outwards to whole components.
        truncate: bool,
        /// Multiplies cosines and sines.
        attention_factor: f64,
    },
    /// Llama 3.1's: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// Divides the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low` count as low.
        low: f64,
        /// Wavelengths below `original / high` count as high.
        high: f64,
        /// The context the model was first trained on, in tokens.
        original: f64,
    },
}

/// No size of a model reaches this; a file that claims more is broken.
const LARGEST_SIZE: u64 = 1 << 24;
/// As [`LARGEST_SIZE`], for the number of layers.
const MOST_LAYERS: usize = 1000;

/// A decoder's sizes and options.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub architecture: Architecture,
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: Heads,
    /// Added to the mean square in every RMSNorm.
    pub rms_norm_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Their change for longer contexts.
    pub rope_scaling: RopeScaling,
    /// Layers whose queries and keys are not rotated, from 0 on.
    pub without_rope: Vec<usize>,
    /// Layers that attend to a window alone.
    pub sliding: Option<Sliding>,
    /// What numbers are multiplied by on their way.
    pub multipliers: Multipliers,
    /// Whether the head is the embedding table.
    pub tie_word_embeddings: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether attention's output projection has one.
    pub output_bias: bool,
    /// Whether the head is a critic's (`...ForTokenClassification` with one label), and not a language model's.
    pub value_head: bool,
    /// The longest context, in tokens.
    pub max_positions: usize,
    /// The file as it was read: what is saved again, unknown but harmless keys included.
    pub(crate) raw: Value,
}

impl ModelConfig {
    /// Reads `config.json` of a model directory.
    ///
    /// # Errors
    /// [`PolicyError::Read`], [`PolicyError::Json`], [`PolicyError::LfsPointer`], or [`PolicyError::Unsupported`] for a
    /// model type or option that would change the numbers and is not built here.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join("config.json");
        let raw = read_json(&path)?;
        Self::from_json(raw, &path)
    }

    /// The configuration, if it is a language model's.
    pub(crate) fn with_language_head(self, dir: &Path) -> Result<Self, PolicyError> {
        if !self.value_head {
            return Ok(self);
        }
        let (path, value) = (dir.join("config.json"), self.raw["architectures"][0].to_string());
        let option = "architectures[0]".to_owned();
        Err(PolicyError::Unsupported { path, option, value, supported: ARCHITECTURES })
    }

    /// Reads the content of a `config.json`.
    ///
    /// # Errors
    /// Those of [`ModelConfig::load`], but for reading.
    pub fn from_value(raw: Value) -> Result<Self, PolicyError> {
        Self::from_json(raw, Path::new("config.json"))
    }

    /// A small Llama for training from scratch.
    pub fn tiny(vocab_size: usize, hidden_size: usize, layers: usize, heads: Heads, stop_token: u32) -> Self {
        let raw = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": false,
            "eos_token_id": stop_token,
            "head_dim": heads.dim,
            "hidden_act": "silu",
            "hidden_size": hidden_size,
            "intermediate_size": hidden_size * 3,
            "max_position_embeddings": 2048,
            "mlp_bias": false,
            "num_attention_heads": heads.query,
            "num_hidden_layers": layers,
            "num_key_value_heads": heads.kv,
            "rms_norm_eps": 1e-6,
            "rope_scaling": null,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": true,
            "torch_dtype": "float32",
            "vocab_size": vocab_size,
        });
        Self {
            architecture: Architecture::Llama,
            vocab_size,
            hidden_size,
            intermediate_size: hidden_size * 3,
            layers,
            heads,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            without_rope: Vec::new(),
            sliding: None,
            multipliers: Multipliers::default(),
            tie_word_embeddings: true,
            qkv_bias: false,
            output_bias: false,
            value_head: false,
            max_positions: 2048,
            raw,
        }
    }

    fn from_json(mut raw: Value, path: &Path) -> Result<Self, PolicyError> {
        let keys = Keys { raw: &raw, path };
        let (architecture, value_head) = keys.architecture()?;
        keys.compare("dtype", "torch_dtype");
        let (hidden_size, heads) = (keys.size("hidden_size")?, keys.heads(architecture)?);
        let layers = keys.size("num_hidden_layers")?;
        if layers > MOST_LAYERS {
            return Err(
                keys.wrong(format!("num_hidden_layers should be at most {MOST_LAYERS}, not {layers}"))
            );
        }
        let without_rope = keys.without_rope(architecture, layers)?;
        keys.refuse_unsupported(architecture, &without_rope)?;
        let bias = keys.flag("attention_bias", false)?;
        let max_positions =
            keys.optional_size("max_position_embeddings")?.unwrap_or(architecture.default_positions());
        let ((rope_theta, rope_scaling), sliding) = if architecture == Architecture::Gemma3 {
            let [full, sliding] = keys.ropes_by_layer(heads.dim, max_positions)?;
            (full, keys.sliding(layers, sliding)?)
        } else {
            (keys.rope(heads.dim, max_positions, architecture.default_theta())?, None)
        };
        let mut config = Self {
            architecture,
            vocab_size: keys.size("vocab_size")?,
            hidden_size,
            intermediate_size: keys.size("intermediate_size")?,
            layers,
            heads,
            rms_norm_eps: keys.number("rms_norm_eps", 1e-6)? as f32,
            rope_theta,
            rope_scaling,
            without_rope,
            sliding,
            multipliers: keys.multipliers(architecture, hidden_size, heads)?,
            tie_word_embeddings: keys.flag("tie_word_embeddings", architecture.ties_by_default())?,
            qkv_bias: architecture == Architecture::Qwen2 || bias,
            output_bias: architecture != Architecture::Qwen2 && bias,
            value_head,
            max_positions,
            raw: Value::Null,
        };
        // What is saved bears the names of what it is, whatever wrapped or headless model was read.
        raw["architectures"] = json!([architecture.class(if value_head { CRITIC } else { CAUSAL })]);
        raw["model_type"] = json!(architecture.model_type());
        config.raw = raw;
        Ok(config)
    }

    /// Gives the head weights of its own, whatever the file says of it.
    pub(crate) fn untie(&mut self) {
        self.tie_word_embeddings = false;
        self.raw["tie_word_embeddings"] = json!(false);
    }

    /// What the file says that the weights are stored as; `dtype` before `torch_dtype`.
    pub(crate) fn stored_type(&self) -> Option<&str> {
        ["dtype", "torch_dtype"].into_iter().find_map(|key| self.raw.get(key)?.as_str())
    }
}

/// The most MiB of a JSON file: some ten times the longest index of weights.
const LARGEST_JSON: u64 = 32;

/// Reads one JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value, PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    let wrong = |message| PolicyError::Json { path: path.to_owned(), message };
    let (most, mut text) = (LARGEST_JSON << 20, Vec::new());
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut text)).map_err(failed)?;
    if text.len() as u64 > most {
        return Err(wrong(format!("more than {LARGEST_JSON} MiB, which no model's settings take")));
    }
    if is_lfs_pointer(&text) {
        return Err(PolicyError::LfsPointer { path: path.to_owned() });
    }
    serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))
}

/// Whether a file is what Git leaves in the place of a large one.
pub(crate) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}
