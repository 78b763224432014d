//! A case under way: what opens it, the environment's side of it, and what came of it.

use toolrl_rollout::{Answer, Answering, Cause, Opening, Reply, Session};

use crate::{BenchmarkError, Outcome};

/// A case under way. A policy's turns are answered as in any [`Session`]; the verdict is the outcome.
pub trait Case: Session {
    /// What is asked first.
    fn opening(&self) -> Opening;

    /// What came of a case that has ended.
    fn outcome(&self) -> Outcome;
}

/// A case that needs one reply, which `judge` puts into the outcome.
pub(crate) struct OneReply<J> {
    pub opening: Opening,
    pub outcome: Outcome,
    pub judge: J,
}

impl<J: Fn(&Reply, &mut Outcome) -> Result<(), BenchmarkError> + Send> Session for OneReply<J> {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move {
            self.outcome.count(reply);
            (self.judge)(reply, &mut self.outcome)?;
            Ok(Answer::End)
        })
    }
}

impl<J: Fn(&Reply, &mut Outcome) -> Result<(), BenchmarkError> + Send> Case for OneReply<J> {
    fn opening(&self) -> Opening {
        self.opening.clone()
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
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
