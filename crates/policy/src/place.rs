//! Where a policy's files are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::read_json;
use crate::weights::has_weights;
use crate::{PolicyError, lora};

/// A policy's directory, and, of adapters whose base is elsewhere than where their settings say, the base's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPlace {
    /// A whole model in Hugging Face form, or adapters in PEFT's.
    pub dir: PathBuf,
    /// The base model of adapters, where it is not at the path that `adapter_config.json` names.
    pub base: Option<PathBuf>,
}

/// The base model that adapters name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBase {
    /// `base_model_name_or_path`: a directory, or a name on the Hub.
    pub name: String,
    /// `revision`: the branch, tag or commit on the Hub, where one is named.
    pub revision: Option<String>,
}

impl PolicyPlace {
    /// The base model that the directory names; none where a whole model is in it.
    ///
    /// # Errors
    /// [`PolicyError`] for settings of adapters that cannot be read.
    pub fn named_base(&self) -> Result<Option<NamedBase>, PolicyError> {
        let path = self.dir.join(lora::CONFIG);
        if !path.exists() || (self.dir.join("config.json").exists() && has_weights(&self.dir)) {
            return Ok(None);
        }
        let raw = read_json(&path)?;
        let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(text("base_model_name_or_path").map(|name| NamedBase { name, revision: text("revision") }))
    }

    /// The directory of the base model of adapters; none for a whole model.
    ///
    /// # Errors
    /// Those of [`PolicyPlace::named_base`].
    pub fn base(&self) -> Result<Option<PathBuf>, PolicyError> {
        let named = self.named_base()?;
        Ok(named.map(|named| self.base.clone().unwrap_or_else(|| named.name.into())))
    }
}

impl From<&Path> for PolicyPlace {
    fn from(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), base: None }
    }
}

impl From<&PathBuf> for PolicyPlace {
    fn from(dir: &PathBuf) -> Self {
        dir.as_path().into()
    }
}

impl From<&PolicyPlace> for PolicyPlace {
    fn from(place: &PolicyPlace) -> Self {
        place.clone()
    }
}
