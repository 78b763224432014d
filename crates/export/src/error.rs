//! Why a recipe was not exported.

use std::path::PathBuf;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A setting that no file can hold.
    #[error("recipe: {0}")]
    Recipe(String),
    /// A setting without which the run there would be another method.
    #[error("{trainer} has nothing for {key} = {value}: {what}")]
    Unsupported {
        /// The other trainer.
        trainer: &'static str,
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What can be done.
        what: String,
    },
    /// A reward that the package for Python cannot compute.
    #[error(
        "the reward cannot be computed by the package toolrl for Python, which has the built-in terms alone: {0}"
    )]
    Reward(toolrl_reward::RewardError),
    /// A prompt that its text does not give.
    #[error(
        "sample {id}: its prompt lost its beginning, and what is left of the text is read as {read} tokens where the run reads {tokens}: \
         take train.overlong_prompts = \"leave_out\""
    )]
    Cut {
        /// The sample.
        id: String,
        /// Tokens of the text.
        read: usize,
        /// Tokens of the prompt.
        tokens: usize,
    },
    /// Replies that lose what the reward reads.
    #[error(
        "{trainer} takes special tokens out of replies, and replies of the dialect {dialect} are written in such: {left:?} would be left \
         of sample {id}'s gold reply"
    )]
    Special {
        /// The other trainer.
        trainer: &'static str,
        /// The dialect.
        dialect: String,
        /// The sample.
        id: String,
        /// What would be left.
        left: String,
    },
    /// The policy's words cannot be used.
    #[error(transparent)]
    Chat(#[from] toolrl_chat::ChatError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table cannot be written.
    #[error("cannot write {path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
}
