//! What can go wrong with a case or a row.

use std::path::PathBuf;

use toolrl_grammar::SyntaxError;

/// Why a case or a row cannot be used.
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
    /// A line of a file of cases is not what it should be.
    #[error("{}, line {line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<ServicesError>,
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
