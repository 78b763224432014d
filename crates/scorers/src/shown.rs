//! What a term is called, and what becomes of its answers.

use std::sync::Arc;
use std::time::Duration;

use toolrl_reward::{FailureCause, RewardError, TermScore};

use crate::ScorerError;
use crate::answer::{Answered, Broken};

/// Replies of a batch where nothing is said.
const BATCH: usize = 16;

/// Values may miss their range by a rounding error.
const TOLERANCE: f64 = 1e-9;

/// What a term is called, which values it has, and how many replies it is asked about at once.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub id: String,
    pub range: (f64, f64),
    pub batch: usize,
}

impl Shown {
    /// That of a term's settings, where they are stated: its id, 0 to 1, and 16 replies otherwise.
    pub(crate) fn new(
        id: &str,
        name: Option<String>,
        range: Option<[f64; 2]>,
        batch: Option<usize>,
    ) -> Result<Self, ScorerError> {
        let wrong = |key, what: String| Err(ScorerError::Setting { key, what });
        let [least, greatest] = range.unwrap_or([0.0, 1.0]);
        if least.is_nan() || greatest.is_nan() || least >= greatest {
            return wrong(
                "range",
                format!("[{least}, {greatest}] should be the least value and a greater one"),
            );
        }
        let id = name.unwrap_or_else(|| id.to_owned());
        if id.trim().is_empty() || id.contains('/') {
            return wrong(
                "name",
                format!("{id:?} should not be empty and have no \"/\", which parts are told by"),
            );
        }
        match batch.unwrap_or(BATCH) {
            0 => wrong("batch", "should be at least 1".to_owned()),
            batch => Ok(Self { id, range: (least, greatest), batch }),
        }
    }

    /// The scores of a batch: each reply without an answer fails for the reason that there is none.
    pub(crate) fn outcomes(
        &self,
        answered: Answered,
        replies: usize,
        timeout: Duration,
    ) -> Vec<Result<TermScore, FailureCause>> {
        let Answered { entries, rest } = answered;
        let entries = entries.into_iter().take(replies);
        let mut outcomes: Vec<_> =
            entries.map(|entry| entry.and_then(|s| self.in_range(s)).map_err(|e| self.cause(e))).collect();
        if let Err(broken) = rest {
            let cause = match broken {
                Broken::TimedOut => FailureCause::TimedOut(timeout),
                Broken::Failed(error) => self.cause(error),
            };
            outcomes.resize_with(replies, || Err(cause.clone()));
        }
        outcomes
    }

    /// What is no number at all is told by the rubric.
    fn in_range(&self, score: TermScore) -> Result<TermScore, ScorerError> {
        let (least, greatest) = (self.range.0 - TOLERANCE, self.range.1 + TOLERANCE);
        if score.value.is_finite() && !(least..=greatest).contains(&score.value) {
            return Err(ScorerError::OutOfRange { value: score.value, range: self.range });
        }
        Ok(score)
    }

    fn cause(&self, error: ScorerError) -> FailureCause {
        FailureCause::Error(Arc::new(RewardError::Term { id: self.id.clone(), source: error.into() }))
    }
}
