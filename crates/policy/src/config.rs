//! `config.json`: the sizes and options of a decoder, with anything unknown to us refused by name.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use toolrl_kernels::Heads;

use crate::PolicyError;

/// Which family of decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `LlamaForCausalLM`: Llama-3.x, SmolLM2.
    Llama,
    /// `Qwen2ForCausalLM`: with a bias on queries, keys and values.
    Qwen2,
    /// `Qwen3ForCausalLM`: with an RMSNorm on every head's queries and keys.
    Qwen3,
}

/// How rotary frequencies are changed for longer contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
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
    /// [`PolicyError::Read`], [`PolicyError::Json`], or [`PolicyError::Unsupported`] for an
    /// architecture or option that would change the numbers and is not built here.
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
            tie_word_embeddings: true,
            qkv_bias: false,
            output_bias: false,
            value_head: false,
            max_positions: 2048,
            raw,
        }
    }

    fn from_json(raw: Value, path: &Path) -> Result<Self, PolicyError> {
        let keys = Keys { raw: &raw, path };
        let (architecture, value_head) = keys.architecture()?;
        keys.refuse_unsupported()?;
        let (hidden_size, query) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let kv = keys.optional_size("num_key_value_heads")?.unwrap_or(query);
        let dim = keys.optional_size("head_dim")?.unwrap_or(hidden_size / query);
        if !query.is_multiple_of(kv) || !dim.is_multiple_of(2) {
            return Err(
                keys.wrong("num_key_value_heads must divide num_attention_heads, and head_dim be even")
            );
        }
        let layers = keys.size("num_hidden_layers")?;
        if layers > MOST_LAYERS {
            return Err(
                keys.wrong(format!("num_hidden_layers should be at most {MOST_LAYERS}, not {layers}"))
            );
        }
        let bias = keys.flag("attention_bias", false)?;
        Ok(Self {
            architecture,
            vocab_size: keys.size("vocab_size")?,
            hidden_size,
            intermediate_size: keys.size("intermediate_size")?,
            layers,
            heads: Heads { query, kv, dim },
            rms_norm_eps: keys.number("rms_norm_eps", 1e-6)? as f32,
            rope_theta: keys.rope_number("rope_theta", 10_000.0)?,
            rope_scaling: keys.rope_scaling()?,
            tie_word_embeddings: keys.flag("tie_word_embeddings", false)?,
            qkv_bias: architecture == Architecture::Qwen2 || bias,
            output_bias: architecture != Architecture::Qwen2 && bias,
            value_head,
            max_positions: keys.optional_size("max_position_embeddings")?.unwrap_or(2048),
            raw: raw.clone(),
        })
    }
}

/// What follows the family in the name of an architecture: a language model.
pub(crate) const CAUSAL: &str = "ForCausalLM";
/// As [`CAUSAL`]: a head that gives each token numbers, of which a critic has one.
pub(crate) const CRITIC: &str = "ForTokenClassification";
/// The policies that there are.
pub(crate) const ARCHITECTURES: &str = "LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM";

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
    serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))
}

/// Typed access to the keys of `config.json`.
struct Keys<'a> {
    raw: &'a Value,
    path: &'a Path,
}

impl Keys<'_> {
    fn wrong(&self, message: impl Into<String>) -> PolicyError {
        PolicyError::Json { path: self.path.to_owned(), message: message.into() }
    }

    fn unsupported(&self, option: &str, value: &Value, supported: &'static str) -> PolicyError {
        let (path, option) = (self.path.to_owned(), option.to_owned());
        PolicyError::Unsupported { path, option, value: value.to_string(), supported }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.raw.get(key).filter(|v| !v.is_null())
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().filter(|n| (1..=LARGEST_SIZE).contains(n));
        let wrong =
            || self.wrong(format!("{key} should be a whole number from 1 to {LARGEST_SIZE}, not {value}"));
        Ok(Some(size.ok_or_else(wrong)? as usize))
    }

    fn size(&self, key: &str) -> Result<usize, PolicyError> {
        self.optional_size(key)?.ok_or_else(|| self.wrong(format!("{key} is missing")))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, PolicyError> {
        self.number_in(self.raw, key, Some(default))
    }

    fn number_in(&self, of: &Value, key: &str, default: Option<f64>) -> Result<f64, PolicyError> {
        match (of.get(key).filter(|v| !v.is_null()), default) {
            (Some(v), _) => {
                v.as_f64().ok_or_else(|| self.wrong(format!("{key} should be a number, not {v}")))
            }
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(format!("{key} is missing"))),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, PolicyError> {
        self.get(key).map_or(Ok(default), |v| {
            v.as_bool().ok_or_else(|| self.wrong(format!("{key} should be true or false, not {v}")))
        })
    }

    /// The family, and whether the head is a critic's.
    fn architecture(&self) -> Result<(Architecture, bool), PolicyError> {
        let name = self.raw.get("architectures").and_then(|a| a.get(0)).unwrap_or(&Value::Null);
        let families =
            [("Llama", Architecture::Llama), ("Qwen2", Architecture::Qwen2), ("Qwen3", Architecture::Qwen3)];
        let found = families.into_iter().find_map(|(family, architecture)| {
            match name.as_str()?.strip_prefix(family)? {
                CAUSAL => Some((architecture, false)),
                CRITIC => Some((architecture, true)),
                _ => None,
            }
        });
        found.ok_or_else(|| self.unsupported("architectures[0]", name, ARCHITECTURES))
    }

    /// Options that would change the numbers.
    fn refuse_unsupported(&self) -> Result<(), PolicyError> {
        type Rule<'a> = (&'a str, &'a dyn Fn(&Value) -> bool, &'static str);
        let refused: [Rule; 7] = [
            ("hidden_act", &|v| v == "silu", "silu"),
            ("mlp_bias", &|v| v == false, "false"),
            ("use_sliding_window", &|v| v == false, "false"),
            ("partial_rotary_factor", &|v| v == 1.0 || v == 1, "1"),
            ("quantization_config", &|_| false, "weights in f32, bf16 or f16"),
            ("pretraining_tp", &|v| v == 1, "1"),
            ("layer_types", &|v| all(v, "full_attention"), "full_attention in every layer"),
        ];
        for (key, fine, supported) in refused {
            if let Some(value) = self.get(key)
                && !fine(value)
            {
                return Err(self.unsupported(key, value, supported));
            }
        }
        Ok(())
    }

    /// The rope settings: `rope_parameters` of newer files, the keys beside the others in older ones.
    fn rope_number(&self, key: &str, default: f64) -> Result<f64, PolicyError> {
        let of = self.get("rope_parameters").filter(|p| p.get(key).is_some()).unwrap_or(self.raw);
        self.number_in(of, key, Some(default))
    }

    fn rope_scaling(&self) -> Result<RopeScaling, PolicyError> {
        let Some(scaling) = self.get("rope_parameters").or_else(|| self.get("rope_scaling")) else {
            return Ok(RopeScaling::None);
        };
        let kind = scaling.get("rope_type").or_else(|| scaling.get("type")).unwrap_or(&Value::Null);
        match kind.as_str() {
            Some("default") => Ok(RopeScaling::None),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: self.number_in(scaling, "factor", None)?,
                low: self.number_in(scaling, "low_freq_factor", None)?,
                high: self.number_in(scaling, "high_freq_factor", None)?,
                original: self.number_in(scaling, "original_max_position_embeddings", None)?,
            }),
            _ => Err(self.unsupported("rope_scaling.rope_type", kind, "default, llama3")),
        }
    }
}

fn all(list: &Value, item: &str) -> bool {
    list.as_array().is_some_and(|l| l.iter().all(|v| v == item))
}
