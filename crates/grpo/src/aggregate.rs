//! How token terms become one number, and why that survives micro-batches.

use crate::{GrpoError, Sequence};

/// How the terms of all tokens become one loss. `N` is the number of sequences of the update batch,
/// `T` its number of reply tokens, `n_i` the reply tokens of sequence `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Sum over all tokens / `T`: every token weighs the same (ToolRL's code; DAPO, arXiv 2503.14476).
    #[default]
    TokenMean,
    /// Mean over sequences of their token mean: every sequence weighs the same (GRPO, arXiv 2402.03300).
    SequenceMean,
    /// Mean over sequences of their token sum.
    SequenceSum,
    /// Sum / (`N` * `max_tokens`): no length bias (Dr. GRPO, arXiv 2503.20783).
    FixedLength {
        /// The limit on new tokens of a reply.
        max_tokens: usize,
    },
}

impl Aggregation {
    /// The weight of each token of a sequence with `length` tokens in a batch of this extent.
    pub fn weight(self, length: usize, batch: BatchExtent) -> f64 {
        let sequences = batch.sequences as f64;
        match self {
            Self::TokenMean => 1.0 / batch.tokens as f64,
            Self::SequenceMean => 1.0 / (sequences * length as f64),
            Self::SequenceSum => 1.0 / sequences,
            Self::FixedLength { max_tokens } => 1.0 / (sequences * max_tokens as f64),
        }
    }
}

/// The size of a whole update batch: what losses are divided by. Losses and derivatives of
/// micro-batches that are given the extent of the whole batch add up to those of the whole batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchExtent {
    /// Replies in the update batch.
    pub sequences: usize,
    /// Their tokens altogether.
    pub tokens: usize,
}

impl BatchExtent {
    /// The extent of these sequences.
    pub fn of<F>(sequences: &[Sequence<'_, F>]) -> Self {
        let tokens = sequences.iter().map(|s| s.logp.len()).sum();
        Self { sequences: sequences.len(), tokens }
    }

    /// Refuses a part that is larger than the whole.
    pub(crate) fn check_contains(self, part: Self) -> Result<(), GrpoError> {
        if part.sequences <= self.sequences && part.tokens <= self.tokens {
            return Ok(());
        }
        Err(GrpoError::ExtentTooSmall {
            sequences: part.sequences,
            tokens: part.tokens,
            batch_sequences: self.sequences,
            batch_tokens: self.tokens,
        })
    }
}
