//! Evaluation of a policy: held-out reward, format rate, exact-call rate; of sampled replies avg@k and pass@k.
//!
//! Invariant: a task's outcome depends on the policy, the task, the environment and the rubric alone, and where replies
//! are sampled on the seed. No training step reaches a score or a random number, and the format rate and the exact-call
//! rate are read from the reply itself, so that two runs with different reward settings can be compared by them.
//!
//! [`evaluate`] plays the episodes of every task with any [`toolrl_rollout::Sampler`] and returns an [`Evaluation`]: an
//! [`EvalReport`], which is what `eval.json` holds, and the [`Outcome`] of every task.

mod error;
mod exact;
mod held_out;
mod outcome;
mod pass;
mod rates;
mod reference;
mod replies;
mod report;
mod sampled;
mod score;

pub mod significance;

pub use error::EvalError;
pub use exact::{is_exact, makes_gold_calls};
pub use held_out::{Draws, Evaluation, HeldOut, evaluate};
pub use outcome::{Outcome, ReplyOutcome, ScoreError, TaskScore};
pub use pass::pass_at_k;
pub use rates::Rates;
pub use reference::asked;
pub use report::EvalReport;
pub use sampled::SampledRates;
