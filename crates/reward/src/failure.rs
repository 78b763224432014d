//! A term that failed on a reply: why, and what the reward makes of it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::RewardError;

/// What a rubric does with a reply on which a term failed. A term with weight 0 is only logged: its
/// failures are counted, and change nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFailure {
    /// The term counts as the end of its range that gives the least reward, so that no policy learns to
    /// make a term fail. Where that end is infinite, as [`OnFailure::SkipReply`].
    #[default]
    Minimum,
    /// The term counts as 0.
    Zero,
    /// The reply teaches nothing: it has no advantage and no part in that of its group.
    SkipReply,
    /// The error ends the work.
    Stop,
}

impl OnFailure {
    /// The name in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Zero => "zero",
            Self::SkipReply => "skip_reply",
            Self::Stop => "stop",
        }
    }

    /// The value that stands in for the term's, and whether the reply is skipped.
    pub(crate) fn value(self, weight: f64, (min, max): (f64, f64)) -> (f64, bool) {
        let least = if weight < 0.0 { max } else { min };
        match self {
            _ if weight == 0.0 => (0.0, false),
            Self::Minimum if least.is_finite() => (least, false),
            Self::Zero => (0.0, false),
            Self::Minimum | Self::SkipReply | Self::Stop => (0.0, true),
        }
    }
}

/// A term's failure on one reply.
#[derive(Clone, Debug)]
pub struct TermFailure {
    /// Why it has no value of its own.
    pub cause: FailureCause,
    /// What was done about it.
    pub policy: OnFailure,
}

/// Why a term has no value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailureCause {
    /// It said so.
    #[error("{0}")]
    Error(Arc<RewardError>),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Its value is no number that a reward can have.
    #[error("its value is {0}")]
    NotFinite(f64),
}

impl FailureCause {
    /// The cause in one word, to count by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::Panicked(_) => "panic",
            Self::TimedOut(_) => "timeout",
            Self::NotFinite(_) => "not_finite",
        }
    }

    /// What a panic carried.
    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "without a message".to_owned()))
    }
}

thread_local! {
    static IN_TERM: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs the code of a term. A panic there is caught, counted and shown as that term's
/// failure, so that a panic hook need not print it.
pub fn is_scoring() -> bool {
    IN_TERM.get()
}

/// Runs the code of a term. Its panic is its failure, and nobody else's.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, FailureCause> {
    let outer = IN_TERM.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IN_TERM.set(outer);
    done.map_err(|payload| FailureCause::panicked(&*payload))
}
