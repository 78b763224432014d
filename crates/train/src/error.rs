//! Why a run stopped.

use std::path::PathBuf;

/// Everything that can end a run. What it had written until then is whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is not readable TOML, or has an unknown key or a value out of range.
    #[error("recipe: {0}")]
    Recipe(String),
    /// A term of the reward does not exist, or refuses its settings.
    #[error("recipe: {0}")]
    Rubric(#[from] toolrl_reward::RewardError),
    /// A dataset could not be read or made.
    #[error(transparent)]
    Data(#[from] toolrl_data::DataError),
    /// No task is left to train on or to evaluate.
    #[error("{what}: no task is left ({why})")]
    NoTasks {
        /// Which part of the data.
        what: &'static str,
        /// What was left out.
        why: String,
    },
    /// A gold reply that cannot be scored against.
    #[error("sample {id}: its gold reply cannot be scored: {source}")]
    Gold {
        /// The sample's id.
        id: String,
        /// What is wrong with it.
        source: toolrl_reward::RewardError,
    },
    /// A model directory could not be read or written.
    #[error(transparent)]
    Policy(#[from] toolrl_policy::PolicyError),
    /// A tokenizer or a chat template failed.
    #[error(transparent)]
    Chat(#[from] toolrl_chat::ChatError),
    /// A sample has no prompt.
    #[error(transparent)]
    Prompt(#[from] toolrl_rollout::PromptError),
    /// A model directory names no token at which a reply ends.
    #[error("{dir}: neither generation_config.json nor config.json has an eos_token_id")]
    NoStopToken {
        /// The directory.
        dir: PathBuf,
    },
    /// Sampling failed.
    #[error("step {step}: {source}")]
    Sample {
        /// The step, from 1.
        step: u64,
        /// What failed; a prompt's number is its place among the training tasks.
        source: toolrl_rollout::SampleError,
    },
    /// A term of the rubric failed on a reply.
    #[error("step {step}, sample {id}: {source}")]
    Reward {
        /// The step, from 1.
        step: u64,
        /// The sample's id.
        id: String,
        /// What failed.
        source: toolrl_reward::RewardError,
    },
    /// The loss has no value.
    #[error("step {step}: {source}")]
    Loss {
        /// The step, from 1.
        step: u64,
        /// What failed.
        source: toolrl_grpo::GrpoError,
    },
    /// The gradient has no finite norm; the policy was not changed by this update.
    #[error("step {step}: the gradient's norm is {norm}; the policy is as it was before this step")]
    Gradient {
        /// The step, from 1.
        step: u64,
        /// Its norm.
        norm: f64,
    },
    /// An evaluation failed.
    #[error(transparent)]
    Eval(#[from] toolrl_eval::EvalError),
    /// A record of the run could not be written.
    #[error(transparent)]
    Record(#[from] record::RecordError),
    /// A run directory that holds another run.
    #[error("{dir} is not empty: name another run directory, or remove it")]
    RunDirInUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file of the run directory could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

use crate::record;
