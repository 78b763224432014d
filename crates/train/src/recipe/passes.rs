//! How often, and in which order, a step trains on what it sampled.

use serde::{Deserialize, Serialize};

/// In which order the groups of a step are dealt out to the mini-batches of its passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassOrder {
    /// As they were sampled, each time: every pass has the same mini-batches.
    #[default]
    Sampled,
    /// The first pass as they were sampled, each further one in an order of its own, by the run's seed, the step and the
    /// pass alone.
    Shuffled,
}
