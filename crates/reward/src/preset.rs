//! Rewards of the literature, by name.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::{Binary, Correctness, Format, RewardError, RougeValues, RubricConfig, TermConfig};

/// Every preset with its terms, which all have weight 1 and their default settings: the released reward of ToolRL
/// (arXiv 2504.13958), that of Tool-N1 (arXiv 2505.00024) and that of STAR (arXiv 2602.03022).
pub const PRESETS: [(&str, &[&str]); 3] =
    [("released", &[Format::ID, Correctness::ID]), ("tool-n1", &[Binary::ID]), ("star", &[RougeValues::ID])];

impl RubricConfig {
    /// The reward of a preset.
    ///
    /// # Errors
    /// [`RewardError::UnknownPreset`].
    ///
    /// ```
    /// use toolrl_reward::RubricConfig;
    ///
    /// assert_eq!(RubricConfig::preset("tool-n1").unwrap().terms[0].id, "binary");
    /// assert_eq!(RubricConfig::preset("released").unwrap(), RubricConfig::default());
    /// ```
    pub fn preset(name: &str) -> Result<Self, RewardError> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        let (_, ids) = found.ok_or_else(|| RewardError::UnknownPreset { name: name.to_owned() })?;
        Ok(Self { terms: ids.iter().copied().map(TermConfig::new).collect() })
    }
}

/// Reads a list of terms, or a preset: `reward = "star"`, or `preset = "star"` under `[reward]`.
impl<'de> Deserialize<'de> for RubricConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Stated)
    }
}

struct Stated;

/// What stands under `[reward]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    preset: String,
}

impl<'de> Visitor<'de> for Stated {
    type Value = RubricConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of terms ([[reward]]) or a preset's name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, terms: A) -> Result<RubricConfig, A::Error> {
        Ok(RubricConfig { terms: Vec::deserialize(SeqAccessDeserializer::new(terms))? })
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<RubricConfig, E> {
        RubricConfig::preset(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RubricConfig, A::Error> {
        let Named { preset } = Named::deserialize(MapAccessDeserializer::new(map))?;
        self.visit_str(&preset)
    }
}
