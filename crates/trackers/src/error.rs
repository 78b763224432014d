//! Why a tracker did not take a run.

use std::path::{Path, PathBuf};

use toolrl_remote::RemoteError;

/// Why a tracker did not take a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// Its settings do not fit together.
    #[error("{key}: {problem}")]
    Settings {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// The run's own files cannot be read, or a file of the tracker not be put in place.
    #[error(transparent)]
    Record(#[from] toolrl_record::RecordError),
    /// The server refused.
    #[error("{url}: the server answered {status}: {message}")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The server could not be reached.
    #[error(transparent)]
    Remote(RemoteError),
    /// The server answered something else than it should.
    #[error("{url}: the answer lacks {what}")]
    Answer {
        /// The address.
        url: String,
        /// What it lacks.
        what: &'static str,
    },
}

impl TrackerError {
    /// Puts the path to a file-system error; for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl From<RemoteError> for TrackerError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Status { url, status, message, .. } => Self::Refused { url, status, message },
            error => Self::Remote(error),
        }
    }
}
