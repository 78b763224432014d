//! What can go wrong: the file of questions. Replies cannot.

use std::path::PathBuf;

use toolrl_grammar::SyntaxError;

/// Why the questions could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BamboogleError {
    /// The file is not there.
    #[error(
        "{path}: {source}; Bamboogle (Press et al., arXiv 2210.03350) is data.json of the ToolRL \
         repository (github.com/qiancheng0/ToolRL, under benchmarks)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not JSON.
    #[error("{path}: not JSON: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// A question lacks a field or holds something else there.
    #[error("{path}: question {index}: `{field}`: expected {expected}, found {found}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The question, counted from 0.
        index: usize,
        /// The field.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
}
