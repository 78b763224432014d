//! `adapter_config.json` of PEFT 0.21, read by an allow-list: an option is computed as PEFT does, or known to have no
//! effect on what a loaded adapter computes, or refused by name.

use std::path::Path;

use fancy_regex::Regex;
use serde::Serialize;
use serde_json::{Value, json};

use super::LoraConfig;
use super::matching::{Names, Targets};
use super::options::{Options, refuse_others};
use crate::PolicyError;
use crate::config::Keys;

/// The adapters of a directory: which layers have one, and of what form. Of fresh ones it is [`LoraConfig`]'s.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterConfig {
    /// Columns of A and rows of B, where no pattern says otherwise.
    pub rank: usize,
    /// An adapter's output is multiplied by `alpha / rank`, where no pattern says otherwise.
    pub alpha: f64,
    /// The share of an adapter's inputs that training sets to zero.
    pub dropout: f64,
    /// The layers, as the file says them.
    pub target_modules: Value,
    #[serde(skip)]
    targets: Targets,
    #[serde(skip)]
    ranks: Vec<(Regex, usize)>,
    #[serde(skip)]
    alphas: Vec<(Regex, f64)>,
    #[serde(skip)]
    rank_stabilized: bool,
    #[serde(skip)]
    pub(super) form: Form,
    /// The file as it was read: what is saved again.
    #[serde(skip)]
    pub(super) raw: Value,
}

/// What an adapter has beside A and B.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    /// The rows of the weights have magnitudes of their own (Liu et al., "DoRA: Weight-Decomposed Low-Rank
    /// Adaptation", arXiv 2402.09353).
    pub dora: bool,
    /// B has a bias.
    pub bias_of_b: bool,
    /// Biases of the base that the file replaces.
    pub biases: Biases,
    /// Ends of the paths of modules that the file replaces.
    pub saved: Vec<String>,
    /// Rows of the embedding table that the file replaces.
    pub tokens: Option<Vec<usize>>,
    /// What PEFT takes off the weights when it reads the file.
    pub residual: Residual,
    /// Whether a tied head should follow what the file makes of the embedding table.
    pub keep_tied: bool,
}

/// As `bias` says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Biases {
    #[default]
    None,
    /// Those of layers with an adapter, where the file has them.
    Adapted,
    All,
}

/// As `init_lora_weights` says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Residual {
    #[default]
    None,
    /// The first singular vectors' share (Meng et al., "PiSSA", arXiv 2404.02948).
    Pissa,
    /// The share of the first columns' span, times the scale (Büyükakyüz, "OLoRA", arXiv 2406.01775).
    Olora,
}

impl AdapterConfig {
    /// The layers as the file says them, for a reader.
    pub fn targets_shown(&self) -> String {
        let names = self.target_modules.as_array().into_iter().flatten().map(shown);
        if self.target_modules.is_array() {
            names.collect::<Vec<_>>().join(", ")
        } else {
            shown(&self.target_modules)
        }
    }

    /// Whether the layer of this path has an adapter.
    pub(super) fn has(&self, path: &str) -> bool {
        self.targets.has(path)
    }

    /// Rank and scale of a layer's adapter: `alpha / rank`, or `alpha / sqrt(rank)` where it is rank-stabilised
    /// (Kalajdzievski, arXiv 2312.03732).
    pub(super) fn rank_and_scale(&self, path: &str) -> (usize, f32) {
        let rank = of_pattern(&self.ranks, path).unwrap_or(self.rank);
        let alpha = of_pattern(&self.alphas, path).unwrap_or(self.alpha);
        let divisor = if self.rank_stabilized { (rank as f64).sqrt() } else { rank as f64 };
        (rank, (alpha / divisor) as f32)
    }

    /// Whether they are matrices beside linear layers of the decoder and nothing else, which training can go on with.
    pub(super) fn is_trained(&self) -> bool {
        self.form == Form { keep_tied: self.form.keep_tied, ..Form::default() }
            && !self.has("lm_head")
            && !self.has("model.embed_tokens")
    }

    /// The options of a file.
    pub(super) fn read(raw: Value, path: &Path) -> Result<Self, PolicyError> {
        let keys = Keys { raw: &raw, path };
        refuse_others(&keys)?;
        let options = Options(&keys);
        let rank = options.size("r", 8)?;
        let (alpha, dropout) = (keys.number("lora_alpha", 8.0)?, keys.number("lora_dropout", 0.0)?);
        let config = Self {
            rank,
            alpha,
            dropout,
            target_modules: raw.get("target_modules").cloned().unwrap_or_default(),
            targets: options.targets()?,
            ranks: options.patterns("rank_pattern", |v| v.as_u64().map(|n| n as usize).filter(is_rank))?,
            alphas: options.patterns("alpha_pattern", Value::as_f64)?,
            rank_stabilized: keys.flag("use_rslora", false)?,
            form: options.form()?,
            raw: Value::Null,
        };
        if !is_rank(&rank) || !(0.0..1.0).contains(&dropout) {
            return Err(keys.wrong(format!(
                "r = {rank} should be from 1 to {MOST_RANK}, and lora_dropout = {dropout} from 0 to below 1"
            )));
        }
        Ok(Self { raw, ..config })
    }
}

/// No adapter has more columns.
const MOST_RANK: usize = 1 << 16;

pub(super) fn is_rank(rank: &usize) -> bool {
    (1..=MOST_RANK).contains(rank)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn of_pattern<T: Copy>(patterns: &[(Regex, T)], path: &str) -> Option<T> {
    patterns.iter().find(|(pattern, _)| pattern.is_match(path).unwrap_or(false)).map(|(_, value)| *value)
}

impl From<&LoraConfig> for AdapterConfig {
    fn from(of: &LoraConfig) -> Self {
        let raw = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "r": of.rank,
            "lora_alpha": of.alpha,
            "lora_dropout": of.dropout,
            "target_modules": of.target_modules,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "use_dora": false,
            "use_rslora": false,
            "modules_to_save": null,
        });
        let (names, excluded) = (Names::Ends(of.target_modules.clone()), Names::Ends(Vec::new()));
        let (whole, before_number) = (Vec::new(), Vec::new());
        Self {
            rank: of.rank,
            alpha: of.alpha,
            dropout: of.dropout,
            target_modules: json!(of.target_modules),
            targets: Targets { names, excluded, whole, layers: None, before_number },
            ranks: Vec::new(),
            alphas: Vec::new(),
            rank_stabilized: false,
            form: Form::default(),
            raw,
        }
    }
}
