//! `generation_config.json`: where generation stops, and what else a server reads there.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config::read_json;
use crate::{ModelConfig, Policy, PolicyError};

/// Settings of generation that belong to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    /// A reply ends with any of these tokens.
    pub stop_tokens: Vec<u32>,
    /// The file's settings, which are saved as they were read, but for stop tokens that they lack.
    settings: Map<String, Value>,
}

impl Generation {
    /// Replies end with these tokens, and nothing else is set.
    pub fn stopping_at(stop_tokens: Vec<u32>) -> Self {
        Self { stop_tokens, settings: Map::new() }
    }

    /// The settings of `generation_config.json`. Stop tokens are every `eos_token_id` in it and in `config.json`.
    ///
    /// # Errors
    /// [`PolicyError`] for a file that is there and cannot be read.
    pub fn load(dir: &Path, config: &ModelConfig) -> Result<Self, PolicyError> {
        let path = dir.join("generation_config.json");
        let read = if path.exists() { read_json(&path)? } else { json!({}) };
        let mut all = stop_tokens(&read, &path)?;
        for token in stop_tokens(&config.raw, &dir.join("config.json"))? {
            if !all.contains(&token) {
                all.push(token);
            }
        }
        let settings = read.as_object().cloned().unwrap_or_default();
        Ok(Self { stop_tokens: all, settings })
    }

    /// The file: as it was read where it stops at the first of the stop tokens, which is how a reply is taught to end.
    pub(crate) fn file(&self) -> Value {
        let mut settings = self.settings.clone();
        let own = stop_tokens(&Value::from(settings.clone()), Path::new("")).unwrap_or_default();
        if self.stop_tokens.first().is_none_or(|taught| !own.contains(taught)) {
            settings.insert("eos_token_id".to_owned(), json!(self.stop_tokens));
        }
        settings.into()
    }
}

impl Policy {
    /// The same policy, whose replies end with these tokens. A saved one has the first of them in its
    /// `generation_config.json`.
    #[must_use]
    pub fn stopping_at(mut self, stop_tokens: Vec<u32>) -> Self {
        let settings = self.generation.settings.clone();
        self.generation = Generation { stop_tokens, settings }.into();
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that is saved after one with these settings was read and replies were taught to end with token 2.
    fn saved(read: &Value, stop_tokens: &[u32]) -> Value {
        let settings = read.as_object().unwrap().clone();
        Generation { stop_tokens: stop_tokens.into(), settings }.file()
    }

    #[test]
    fn settings_are_kept_and_the_taught_end_is_among_them() {
        let kept = json!({"eos_token_id": [0, 2], "top_k": 20, "repetition_penalty": 1.1, "pad_token_id": 0});
        assert_eq!(saved(&kept, &[2, 0, 7]), kept);
        let single = json!({"temperature": 0.6, "eos_token_id": 2});
        assert_eq!(saved(&single, &[2, 0]), single);
        let other = json!({"do_sample": true, "eos_token_id": 0});
        assert_eq!(saved(&other, &[2, 0]), json!({"do_sample": true, "eos_token_id": [2, 0]}));
        assert_eq!(saved(&json!({}), &[2]), json!({"eos_token_id": [2]}));
        assert_eq!(saved(&json!({"eos_token_id": null}), &[2]), json!({"eos_token_id": [2]}));
    }

    #[test]
    fn every_end_of_both_files_stops() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("generation_config.json"), r#"{"eos_token_id": [5, 3]}"#).unwrap();
        let config = ModelConfig::tiny(16, 8, 1, crate::Heads { query: 1, kv: 1, dim: 8 }, 4);
        assert_eq!(Generation::load(dir.path(), &config).unwrap().stop_tokens, [5, 3, 4]);
    }
}
