//! Why a benchmark cannot be run, or stopped.

use std::path::PathBuf;

use toolrl_api_bank::ApiBankError;
use toolrl_bamboogle::BamboogleError;
use toolrl_bfcl::BfclError;
use toolrl_chat::ChatError;
use toolrl_remote::RemoteError;
use toolrl_rollout::{Cause, RolloutError};
use toolrl_services::ServicesError;

/// Why a benchmark cannot be run, or stopped. What a model replies is never the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchmarkError {
    /// The data of BFCL cannot be read.
    #[error(transparent)]
    Bfcl(#[from] BfclError),
    /// The data of API-Bank cannot be read.
    #[error(transparent)]
    ApiBank(#[from] ApiBankError),
    /// The data of Bamboogle cannot be read.
    #[error(transparent)]
    Bamboogle(#[from] BamboogleError),
    /// The texts of BFCL's long context cannot be read.
    #[error(transparent)]
    LongContext(ServicesError),
    /// The services of a multi-turn case cannot start.
    #[error("case {id}: {source}")]
    Services {
        /// The case.
        id: String,
        /// What is wrong.
        source: ServicesError,
    },
    /// A case's functions are no JSON that a template or a server takes.
    #[error("case {id}: its functions: {source}")]
    Tool {
        /// The case.
        id: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A case's prompt, as the data has it, cannot be read as messages and tools.
    #[error("case {id}: its prompt: {problem}")]
    Prompt {
        /// The case.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// A prompt cannot be rendered or tokenized.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The local policy failed.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// A session that is not of this crate failed.
    #[error("a session failed: {0}")]
    Session(Cause),
    /// A server failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A replier returned another number of replies than it was asked for.
    #[error("{found} replies came back for {expected} requests")]
    Replies {
        /// How many were asked for.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// No case is left to run.
    #[error("there is no case to evaluate on")]
    NoCases,
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a log is not what it should be.
    #[error("{path}, line {line}: {problem}", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A log belongs to another run.
    #[error("{path} belongs to another run, whose {field} is {found:?}; this one's is {expected:?}. Give another --out, or remove it", path = path.display())]
    AnotherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: String,
        /// What the log says.
        found: String,
        /// What this run has.
        expected: String,
    },
    /// Another process writes the same log.
    #[error("{path}: another process is writing it", path = path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A document folder holds no text.
    #[error("{path}: no document to search: .txt, .md, .json and .jsonl files are read", path = path.display())]
    NoDocuments {
        /// The folder.
        path: PathBuf,
    },
    /// A report's page cannot be made.
    #[error("the report: {0}")]
    Page(#[from] minijinja::Error),
}

impl BenchmarkError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
