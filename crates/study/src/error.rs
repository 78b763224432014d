//! Why a study stopped.

use std::path::PathBuf;

/// Everything that can end a study. Runs that were finished stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The study is not readable TOML, or has an unknown key.
    #[error("study: {0}")]
    Syntax(String),
    /// The study names something that it does not have, or the same thing twice.
    #[error("study {study}: {what}")]
    Content {
        /// The study's name.
        study: String,
        /// What is wrong.
        what: String,
    },
    /// A stage's recipe cannot be resolved.
    #[error("arm {arm:?}, recipe {recipe:?}: {source}")]
    Recipe {
        /// The arm.
        arm: String,
        /// The recipe's name or file.
        recipe: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder holds a run of other settings under the same name.
    #[error("{dir} holds a run with other settings: name another folder by --out, or remove it")]
    OtherSettings {
        /// The run's directory.
        dir: PathBuf,
    },
    /// The folder holds a run that began with another policy than the one before it in the plan has left.
    #[error("{dir} began with another policy than is now in {start}: remove it, so that it is done again")]
    OtherStart {
        /// The run's directory.
        dir: PathBuf,
        /// Where its policy lies.
        start: PathBuf,
    },
    /// A run failed.
    #[error("{dir}: {source}")]
    Run {
        /// The run's directory.
        dir: PathBuf,
        /// What failed.
        source: Box<toolrl_train::TrainError>,
    },
    /// A finished run's record could not be read.
    #[error(transparent)]
    Record(#[from] toolrl_record::RecordError),
    /// A benchmark's log could not be read.
    #[error(transparent)]
    Benchmark(#[from] toolrl_benchmarks::BenchmarkError),
    /// A file of the study could not be read, written or removed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl StudyError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
