//! Why an evaluation could not be done.

use toolrl_rollout::RolloutError;

/// Why an evaluation could not be done. A single reply that cannot be scored is no such error: it
/// stands in its [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// There is no task to evaluate on.
    #[error("there is no task to evaluate on")]
    NoTasks,
    /// A task has no prompt, or no episode of it could be played.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
}
