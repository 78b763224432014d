//! Why a record could not be written, read or shown.

use std::path::{Path, PathBuf};

/// Why a record could not be written, read or shown. Every variant of a file names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A line or a document that is no JSON of the expected form.
    #[error("{}:{line}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Columns that could not be written.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: parquet::errors::ParquetError,
    },
    /// A page's template that cannot be rendered: its own fault, not that of what it was given to show.
    #[error("page: {0}")]
    Page(#[from] minijinja::Error),
}

impl RecordError {
    /// Puts the path to a file-system error; for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Puts the path to a Parquet or Arrow error; for `map_err`.
    pub(crate) fn parquet<E>(path: &Path) -> impl Fn(E) -> Self + '_
    where
        parquet::errors::ParquetError: From<E>,
    {
        move |source| Self::Parquet { path: path.to_owned(), source: source.into() }
    }
}
