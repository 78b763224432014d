//! A case under way: what opens it, the environment's side of it, and what came of it.

use toolrl_rollout::{Cause, Opening, Session};

use crate::{BenchmarkError, Outcome};

/// A case under way. A policy's turns are answered as in any [`Session`]; the verdict is the outcome.
pub trait Case: Session {
    /// What is asked first.
    fn opening(&self) -> Opening;

    /// What came of a case that has ended.
    fn outcome(&self) -> Outcome;
}

impl BenchmarkError {
    /// What a session failed with: an error of this crate, unless it is another crate's session.
    pub(crate) fn of_session(cause: Cause) -> Self {
        match cause.downcast::<Self>() {
            Ok(own) => *own,
            Err(other) => Self::Session(other),
        }
    }
}
