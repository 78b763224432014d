//! The keys that some families alone have.

use serde_json::Value;
use toolrl_kernels::Heads;

use super::keys::Keys;
use super::{Architecture, Multipliers, RopeScaling, Sliding};
use crate::PolicyError;

impl Keys<'_> {
    /// The layers of SmolLM3 whose queries and keys are not rotated: those with a 0 in a list, or else each of some
    /// number of layers the last.
    pub(super) fn without_rope(
        &self,
        architecture: Architecture,
        layers: usize,
    ) -> Result<Vec<usize>, PolicyError> {
        if architecture != Architecture::SmolLM3 {
            return Ok(Vec::new());
        }
        let interval = self.optional_size("no_rope_layer_interval")?;
        let every = |interval: usize| (interval - 1..layers).step_by(interval).collect();
        let Some(list) = self.get("no_rope_layers") else { return Ok(every(interval.unwrap_or(4))) };
        let rotated: Option<Vec<i64>> =
            list.as_array().and_then(|list| list.iter().map(Value::as_i64).collect());
        let rotated = rotated.filter(|rotated| rotated.len() >= layers).ok_or_else(|| {
            self.wrong(format!("no_rope_layers should have a 0 or 1 for each of {layers} layers, not {list}"))
        })?;
        let without = (0..layers).filter(|&layer| rotated[layer] == 0).collect();
        if interval.is_some_and(|interval| every(interval) != without) {
            self.compare("no_rope_layers", "no_rope_layer_interval");
        }
        Ok(without)
    }

    /// The layers of Gemma 3 that attend to a window alone: as a list tells, or else all but each of some number of
    /// layers the last.
    pub(super) fn sliding(
        &self,
        layers: usize,
        (rope_theta, rope_scaling): (f64, RopeScaling),
    ) -> Result<Option<Sliding>, PolicyError> {
        let slides: Vec<bool> = match self.get("layer_types") {
            Some(list) => {
                let known = |of: &Value| match of.as_str() {
                    Some("sliding_attention") => Some(true),
                    Some("full_attention") => Some(false),
                    _ => None,
                };
                let slides = list.as_array().and_then(|list| list.iter().map(known).collect());
                slides.filter(|slides: &Vec<bool>| slides.len() == layers).ok_or_else(|| {
                    self.unsupported(
                        "layer_types",
                        list,
                        "full_attention or sliding_attention for each layer",
                    )
                })?
            }
            None => {
                let pattern = self.optional_size("sliding_window_pattern")?.unwrap_or(6);
                (1..=layers).map(|layer| !layer.is_multiple_of(pattern)).collect()
            }
        };
        let layers: Vec<usize> = (0..layers).filter(|&layer| slides[layer]).collect();
        if layers.is_empty() {
            return Ok(None);
        }
        let default = self.raw.get("sliding_window").is_none().then_some(4096);
        let window = self.optional_size("sliding_window")?.or(default);
        let window = window.ok_or_else(|| self.wrong("sliding_window is null, and layers slide"))?;
        Ok(Some(Sliding { layers, window, rope_theta, rope_scaling }))
    }

    /// The multipliers of Granite, all of which are 1 where the file does not tell, attention's too; and Gemma's, which
    /// follow from its sizes.
    pub(super) fn multipliers(
        &self,
        architecture: Architecture,
        hidden: usize,
        heads: Heads,
    ) -> Result<Multipliers, PolicyError> {
        if architecture == Architecture::Gemma3 {
            let scalar = self.optional_size("query_pre_attn_scalar")?.unwrap_or(256);
            return Ok(Multipliers {
                embedding: (hidden as f64).sqrt() as f32,
                rounded_embedding: true,
                queries: (heads.dim as f64 / scalar as f64).sqrt() as f32,
                ..Multipliers::default()
            });
        }
        if architecture != Architecture::Granite {
            return Ok(Multipliers::default());
        }
        let factor = |key: &str| {
            let factor = self.number(key, 1.0)?;
            let wrong = || self.wrong(format!("{key} should be above 0, not {factor}"));
            if factor > 0.0 { Ok(factor) } else { Err(wrong()) }
        };
        Ok(Multipliers {
            embedding: factor("embedding_multiplier")? as f32,
            queries: (factor("attention_multiplier")? * (heads.dim as f64).sqrt()) as f32,
            residual: factor("residual_multiplier")? as f32,
            logits: (1.0 / factor("logits_scaling")?) as f32,
            ..Multipliers::default()
        })
    }

    /// Whether some layer would attend to a window alone, where the file says that it uses one and does not tell each
    /// layer's type: the last ones of Qwen's, those without rope of SmolLM3's.
    pub(super) fn slides(&self, architecture: Architecture, without_rope: &[usize]) -> bool {
        let layers = self.get("num_hidden_layers").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let full = self.get("max_window_layers").map_or(Some(28), Value::as_u64);
        match architecture {
            Architecture::Llama | Architecture::Granite | Architecture::Gemma3 => false,
            Architecture::Qwen2 | Architecture::Qwen3 => full.is_none_or(|full| full < layers),
            Architecture::SmolLM3 => self.get("sliding_window").is_some() && !without_rope.is_empty(),
        }
    }
}
