//! Benchmarks that a run is evaluated on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A benchmark, or a part of one, and where its data lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "benchmark", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BenchmarkConfig {
    /// The Berkeley Function-Calling Leaderboard V3.
    Bfcl {
        /// The folder of its files.
        data: PathBuf,
        /// Categories, or groups of them: `non_live`, `live`, `single_turn`, `multi_turn`; all that the leaderboard
        /// counts by default.
        #[serde(default)]
        categories: Vec<String>,
        /// So many cases of each category: the first.
        per_category: Option<usize>,
        /// They are drawn by this seed instead.
        drawn: Option<u64>,
        /// Who words the prompts and reads the replies: `toolrl`, or `native` for the model's own template.
        #[serde(default = "toolrl")]
        handler: String,
        /// A file with other texts for the prompts of `toolrl`.
        prompt: Option<PathBuf>,
        /// The limit on new tokens of a reply.
        #[serde(default = "max_new_tokens")]
        max_new_tokens: usize,
    },
    /// API-Bank.
    ApiBank {
        /// The folder of its files.
        data: PathBuf,
        /// Who words the prompts and reads the replies: `toolrl`, the data's own text, or `native` for the model's own
        /// template and dialect.
        #[serde(default)]
        handler: ApiBankHandler,
        /// The first so many cases.
        limit: Option<usize>,
        /// The limit on new tokens of a reply.
        #[serde(default = "max_new_tokens")]
        max_new_tokens: usize,
    },
    /// Bamboogle, over a folder of documents, judged by exact match.
    Bamboogle {
        /// The file of its questions, or its folder.
        data: PathBuf,
        /// The documents that are searched.
        documents: PathBuf,
        /// The first so many questions.
        limit: Option<usize>,
        /// The limit on new tokens of a reply.
        #[serde(default = "max_new_tokens")]
        max_new_tokens: usize,
    },
}

/// Who words API-Bank's prompts and reads the replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiBankHandler {
    /// The data's own text, as in the paper.
    #[default]
    Toolrl,
    /// The model's own template, which is given the tools and the dialogue of that text.
    Native,
}

impl BenchmarkConfig {
    /// Where its files lie.
    pub(crate) fn paths(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Bfcl { data, prompt, .. } => std::iter::once(data).chain(prompt).collect(),
            Self::ApiBank { data, .. } => vec![data],
            Self::Bamboogle { data, documents, .. } => vec![data, documents],
        }
    }

    /// Its limit on new tokens of a reply.
    pub(crate) fn max_new_tokens(&self) -> usize {
        match self {
            Self::Bfcl { max_new_tokens, .. }
            | Self::ApiBank { max_new_tokens, .. }
            | Self::Bamboogle { max_new_tokens, .. } => *max_new_tokens,
        }
    }

    /// The first so many cases, where it has such a limit.
    pub(crate) fn limit(&self) -> Option<usize> {
        match self {
            Self::Bfcl { .. } => None,
            Self::ApiBank { limit, .. } | Self::Bamboogle { limit, .. } => *limit,
        }
    }
}

fn toolrl() -> String {
    "toolrl".to_owned()
}

fn max_new_tokens() -> usize {
    512
}
