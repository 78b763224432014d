//! What can go wrong: the benchmark's files, and rows that are no rows. Replies cannot.

use std::path::PathBuf;

use toolrl_grammar::SyntaxError;

/// Where the benchmark's files come from, for whoever lacks them.
pub(crate) const SOURCE: &str = "the folder bfcl_eval/data of the Python package bfcl-eval 2025.8.6.2 \
     (pip download --no-deps bfcl-eval==2025.8.6.2, then unzip the wheel; Apache-2.0)";

/// Why cases, a prompt file or a row could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BfclError {
    /// A file of the benchmark is not there.
    #[error("{path}: {source}; BFCL V3 is {SOURCE}")]
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
    /// A line of a file is not JSON.
    #[error("{path}: line {line}: not JSON: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// A line of a file lacks a field or holds something else there.
    #[error("{path}: line {line}: field `{field}`: expected {expected}, found {found}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The field, as a path from the row.
        field: String,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The cases and the answers of a category do not go together.
    #[error("{path}: line {line}: the answer is that of {found:?}, the case that of {expected:?}")]
    Answer {
        /// The file of answers.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The case's id.
        expected: String,
        /// The answer's id.
        found: String,
    },
    /// No category has this name.
    #[error("unknown category {name:?}; known: {}", known())]
    UnknownCategory {
        /// The name.
        name: String,
    },
    /// No handler has this name.
    #[error(
        "unknown handler {name:?}; known: {}, and the dialects {}",
        crate::Handler::ALL.map(crate::Handler::name).join(", "),
        toolrl_grammar::DIALECTS.map(|dialect| dialect.name())[1..].join(", ")
    )]
    UnknownHandler {
        /// The name.
        name: String,
    },
    /// A row that asks for a verdict is not JSON.
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
    #[error("no case {id:?} among the {loaded} that were loaded")]
    UnknownCase {
        /// The id.
        id: String,
        /// How many cases there are.
        loaded: usize,
    },
    /// A case of another kind than the verdict asked for.
    #[error("case {id:?} is of category {category}, which has no verdict on a single reply")]
    NotSingleTurn {
        /// The id.
        id: String,
        /// Its category.
        category: crate::Category,
    },
    /// The prompt file cannot be used.
    #[error("prompt file: {problem}")]
    Prompt {
        /// What is wrong with it.
        problem: String,
    },
}

fn known() -> String {
    crate::Category::ALL.map(crate::Category::name).join(", ")
}
