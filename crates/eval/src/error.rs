//! Why an evaluation could not be done.

use toolrl_rollout::{PromptError, SampleError};

/// Why an evaluation could not be done. A single reply that cannot be scored is no such error: it
/// stands in its [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// There is no task to evaluate on.
    #[error("there is no task to evaluate on")]
    NoTasks,
    /// A task has no prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The policy did not reply.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The sampler broke its promise of one group per prompt with one reply each.
    #[error("the sampler returned {found} replies to {expected} prompts")]
    Replies {
        /// Prompts handed in.
        expected: usize,
        /// Replies that came back.
        found: usize,
    },
    /// The scorer broke its promise of one score per reply.
    #[error("the scorer returned {found} scores for {expected} replies")]
    Scores {
        /// Replies handed in.
        expected: usize,
        /// Scores that came back.
        found: usize,
    },
}
