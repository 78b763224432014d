//! What can go wrong with a case or a row.

use std::path::PathBuf;

use toolrl_grammar::SyntaxError;

/// Where the texts of the long context come from, for whoever lacks them.
const SOURCE: &str = "Copy it there from the Python package bfcl-eval 2025.8.6.2, which has it in \
     bfcl_eval/eval_checker/multi_turn_eval/func_source_code, or leave the category out";

/// Why a case, a row or the texts of the long context cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// A file of cases cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<ServicesError>,
    },
    /// A file is larger than any that is read.
    #[error("{}: more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// The texts of the long context are not there.
    #[error("{} is missing: the category multi_turn_long_context takes its texts from it. {SOURCE}", path.display())]
    NoLongContext {
        /// Where the file is looked for, and can be put.
        path: PathBuf,
    },
    /// What should be assignments of Python literals is something else.
    #[error("expected NAME = LITERAL, found: {problem}")]
    Assignment {
        /// What is wrong, in Python's words.
        problem: String,
    },
    /// A text is no JSON.
    #[error("not JSON: {0}")]
    Syntax(#[source] SyntaxError),
    /// A field is missing or not what it should be.
    #[error("field \"{field}\": expected {expected}, found {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A case involves a service that there is not.
    #[error("unknown service class \"{name}\"")]
    UnknownClass {
        /// The name.
        name: String,
    },
    /// A setting of a service's scenario is not what it should be.
    #[error("{class}, \"{key}\": expected {expected}, found {found}")]
    Scenario {
        /// The service's class.
        class: &'static str,
        /// The setting.
        key: String,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A case has no answer among the possible answers, or the answers name a case that there is not.
    #[error("case \"{id}\" has no counterpart among the cases or answers")]
    Unpaired {
        /// The case.
        id: String,
    },
    /// A row names a case that was not loaded.
    #[error("unknown case \"{id}\"")]
    UnknownCase {
        /// The case.
        id: String,
    },
}
