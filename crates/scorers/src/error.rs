//! Why another program gave no score.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use toolrl_remote::RemoteError;

/// Why another program gave no score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// A setting cannot be used.
    #[error("{key}: {what}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A file that a term needs cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// There is no such program, or it may not be run.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The program does not answer an empty batch.
    #[error(
        "no answer to an empty batch within {} s (start_seconds): does it flush each line that it writes?{}",
        after.as_secs_f64(),
        last_words(stderr)
    )]
    Silent {
        /// How long was waited.
        after: Duration,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// The program ended while it held replies.
    #[error("the program ended ({status}){}", last_words(stderr))]
    Ended {
        /// How.
        status: String,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// An answer is not what it should be.
    #[error("not an answer: {what}")]
    Answer {
        /// What is wrong with it.
        what: String,
    },
    /// The program says why it has no score.
    #[error("{0}")]
    Said(String),
    /// A value is not where the term says that its values are.
    #[error("its value {value} is outside of range = [{}, {}]", range.0, range.1)]
    OutOfRange {
        /// The value.
        value: f64,
        /// The term's range.
        range: (f64, f64),
    },
    /// A server gave no answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// No thread could be started for a batch.
    #[error("no thread for a batch: {0}")]
    Thread(io::Error),
    /// A batch's thread panicked: a fault of this crate or of one that it uses.
    #[error("the thread of a batch panicked")]
    Panicked,
}

fn last_words(stderr: &[String]) -> String {
    if stderr.is_empty() { String::new() } else { format!("; its last words: {}", stderr.join(" | ")) }
}
