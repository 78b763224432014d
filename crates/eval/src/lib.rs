//! Evaluation of a policy: held-out reward, format rate, exact-call rate.
//!
//! Invariant: a task's outcome depends on the policy, the task, the environment and the rubric alone. Decoding is
//! greedy, no training step reaches a score, and the format rate and the exact-call rate are read from
//! the reply itself, so that two runs with different reward settings can be compared by them.
//!
//! [`evaluate`] plays an episode of every task with any [`toolrl_rollout::Sampler`] and returns an [`Evaluation`]: an
//! [`EvalReport`], which is what `eval.json` holds, and the [`Outcome`] of every task.

mod error;
mod exact;
mod held_out;
mod outcome;
mod rates;
mod reference;
mod report;
mod score;

pub use error::EvalError;
pub use exact::is_exact;
pub use held_out::{Evaluation, HeldOut, evaluate};
pub use outcome::{Outcome, ScoreError, TaskScore};
pub use rates::Rates;
pub use reference::reference;
pub use report::EvalReport;
