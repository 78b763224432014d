//! `generation_config.json`: where generation stops.

use std::path::Path;

use serde_json::Value;

use crate::config::read_json;
use crate::{ModelConfig, PolicyError};

/// Settings of generation that belong to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// A reply ends with any of these tokens.
    pub stop_tokens: Vec<u32>,
}

impl Generation {
    /// The stop tokens of `generation_config.json`, or of `config.json` where the former is absent
    /// or names none.
    ///
    /// # Errors
    /// [`PolicyError`] for a file that is there and cannot be read.
    pub(crate) fn load(dir: &Path, config: &ModelConfig) -> Result<Self, PolicyError> {
        let path = dir.join("generation_config.json");
        let own = if path.exists() { stop_tokens(&read_json(&path)?, &path)? } else { Vec::new() };
        let stop_tokens =
            if own.is_empty() { stop_tokens(&config.raw, &dir.join("config.json"))? } else { own };
        Ok(Self { stop_tokens })
    }
}

fn stop_tokens(of: &Value, path: &Path) -> Result<Vec<u32>, PolicyError> {
    let wrong = || PolicyError::Json {
        path: path.to_owned(),
        message: "eos_token_id should be a token id or a list of them".to_owned(),
    };
    let id = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
    match of.get("eos_token_id") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(ids)) => ids.iter().map(id).collect(),
        Some(single) => Ok(vec![id(single)?]),
    }
}
