//! Why a server gave no answer.

use std::time::Duration;

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is none, or the settings cannot be used.
    #[error("{url:?}: {problem}")]
    Settings {
        /// The address.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The server refused the request.
    #[error("{url}: the server answered {status}: {message}{}", hint(*status))]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said, shortened.
        message: String,
        /// How often it was asked.
        attempts: u32,
    },
    /// The request is longer than the model's context: this server never takes it.
    #[error("{url}: the request is longer than the model's context: {message}")]
    TooLong {
        /// The address.
        url: String,
        /// What the server said, shortened.
        message: String,
    },
    /// The server could not be reached, or broke off.
    #[error("{url}: no answer in {attempts} attempts: {source}")]
    Transport {
        /// The address.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// What failed the last time.
        source: Box<ureq::Error>,
    },
    /// The server asks for a longer wait than the settings allow.
    #[error("{url}: the server asks to wait {} seconds, which is too long; go on later", wait.as_secs())]
    Busy {
        /// The address.
        url: String,
        /// What it asks for.
        wait: Duration,
    },
    /// The answer has another form than it should.
    #[error("{url}: the answer is not what it should be: {problem}")]
    Form {
        /// The address.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The Hugging Face Hub does not hand out a model or a file.
    #[error("{url}: the Hub answered {status}: {}", advice(*status, code, *key))]
    Hub {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The Hub's `X-Error-Code`, such as `GatedRepo`; empty where it sent none.
        code: String,
        /// Whether a key was sent.
        key: bool,
    },
    /// What came could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The request was not sent, since another one of its batch had failed.
    #[error("not asked, because another request failed")]
    NotAsked,
}

impl RemoteError {
    /// Whether the last attempt took longer than it may.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Transport { source, .. } => match &**source {
                ureq::Error::Timeout(_) => true,
                ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
                _ => false,
            },
            _ => false,
        }
    }
}

/// What a user can do about an answer of the Hub.
fn advice(status: u16, code: &str, key: bool) -> &'static str {
    match (status, code, key) {
        (_, "GatedRepo", false) => {
            "the model is gated: accept its terms on its page there, and set HF_TOKEN or log in by `hf auth login`"
        }
        (_, "GatedRepo", true) | (403, _, _) => {
            "the token may not read this model: accept its terms on its page there, as the token's owner"
        }
        (_, "RevisionNotFound", _) => "the model has no such branch, tag or commit",
        (401, _, false) => {
            "there is no such model, or it is private or gated: set HF_TOKEN or log in by `hf auth login`"
        }
        (401, _, true) => "there is no such model, or the token is not valid or may not read it",
        (404, _, _) => "there is no such model or file",
        _ => "try again later",
    }
}

/// What often lies behind a status.
fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (is the API key right?)",
        404 => " (are the address, which usually ends in /v1, and the model's name right?)",
        _ => "",
    }
}
