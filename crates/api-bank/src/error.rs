//! What can go wrong: the benchmark's files, and rows that are no rows. Replies cannot.

use std::path::PathBuf;

use toolrl_grammar::SyntaxError;

/// Why cases or a row could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiBankError {
    /// A file of the benchmark is not there.
    #[error(
        "{path}: {source}; the levels of API-Bank as ToolRL evaluates them are \
         level-1-api_processed.json to level-3-api_processed.json of its repository \
         (github.com/qiancheng0/ToolRL, benchmarks; Apache-2.0)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not JSON.
    #[error("{path}: not JSON: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// A case lacks a field or holds something else there.
    #[error("{path}: case {index}: field `{field}`: expected {expected}, found {found}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The case, counted from 0.
        index: usize,
        /// The field.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A row that asks for a score is not JSON.
    #[error("not a row of JSON: {0}")]
    RowSyntax(#[source] SyntaxError),
    /// A row's field is missing or not what it should be.
    #[error("field \"{field}\": expected {expected}, found {found}")]
    RowField {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A row names a case that was not loaded.
    #[error("no case {index} of level {level} among the {loaded} cases that were loaded")]
    UnknownCase {
        /// The level.
        level: i64,
        /// The case.
        index: i64,
        /// How many cases there are.
        loaded: usize,
    },
}
