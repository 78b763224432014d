//! What a user sets about a build.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Settings of a build. The same settings and files give the same samples on every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BuildConfig {
    /// Which samples are taken, their order and the masks follow from it. Default 1.
    pub seed: u64,
    /// A prompt template: a minijinja file with the blocks `system` and `user`, instead of this crate's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PathBuf>,
    /// The share, 0 to 1, of the Hammer samples whose right tools are taken away. Default 0.1, about the 7.5K
    /// such rows beside 60K calls in Hammer's own training data.
    pub irrelevance: f64,
    /// How many of the samples taken are kept apart to evaluate on, or a few more: a dialogue's samples stay
    /// together, since a later one shows the gold replies of those before it. Default 0.
    pub held_out: usize,
    /// Where samples come from. A sample that one source took is not taken again by those after it.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
}

impl Default for BuildConfig {
    fn default() -> Self {
        Self { seed: 1, prompt: None, irrelevance: 0.1, held_out: 0, sources: Vec::new() }
    }
}

/// One source of samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// How its rows are read.
    pub form: SourceForm,
    /// The file: JSON, JSON lines (either may be gzipped) or Parquet.
    pub file: PathBuf,
    /// How many samples are taken. Default: as many as the paper takes of this form.
    #[serde(default)]
    pub take: Take,
}

/// The forms of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceForm {
    /// `{system, conversations}`: dialogues, each of whose replies becomes a sample. Calls are pythonic.
    Toolace,
    /// `{query, tools, answers}`: one request and its calls.
    Xlam,
    /// The rows of [`SourceForm::Xlam`], their functions and parameters renamed to random strings, some
    /// without the right tools: Hammer's augmentation (arXiv 2410.04587).
    Hammer,
}

impl SourceForm {
    /// The name in settings and ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Toolace => "toolace",
            Self::Xlam => "xlam",
            Self::Hammer => "hammer",
        }
    }

    /// How many samples ToolRL (arXiv 2504.13958) takes: 2,000 of ToolACE, 1,000 each of the others.
    pub fn paper_count(self) -> usize {
        match self {
            Self::Toolace => 2_000,
            Self::Xlam | Self::Hammer => 1_000,
        }
    }
}

/// How many samples are taken of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of samples, \"paper\" or \"all\"")]
pub enum Take {
    /// So many, or all where there are fewer.
    Count(usize),
    /// A count by name.
    Named(NamedTake),
}

/// A count by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedTake {
    /// [`SourceForm::paper_count`].
    Paper,
    /// Every sample.
    All,
}

impl Default for Take {
    fn default() -> Self {
        Self::Named(NamedTake::Paper)
    }
}

impl Take {
    /// The number; `None` for all.
    pub fn count(self, form: SourceForm) -> Option<usize> {
        match self {
            Self::Count(count) => Some(count),
            Self::Named(NamedTake::Paper) => Some(form.paper_count()),
            Self::Named(NamedTake::All) => None,
        }
    }
}

impl FromStr for Take {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::Named(NamedTake::All)),
            "paper" => Ok(Self::Named(NamedTake::Paper)),
            _ => text.parse().map(Self::Count).map_err(|_| format!("{text:?} is no number, paper or all")),
        }
    }
}

impl fmt::Display for SourceForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BuildConfig {
    /// Refuses settings from which nothing can be built.
    pub(super) fn check(&self) -> Result<(), DataError> {
        let refused = |field, expected, found: String| Err(DataError::Build { field, expected, found });
        if !(0.0..=1.0).contains(&self.irrelevance) {
            return refused("irrelevance", "a share from 0 to 1", self.irrelevance.to_string());
        }
        if self.sources.is_empty() {
            return refused("source", "at least one source", "none".to_owned());
        }
        Ok(())
    }
}
