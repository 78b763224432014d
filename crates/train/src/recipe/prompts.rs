//! What becomes of samples that are too long to be trained on.

use serde::{Deserialize, Serialize};

/// What becomes of a sample whose prompt (of SFT: prompt and reply) has more tokens than the recipe's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlongPrompts {
    /// The run is refused before anything is computed, and the sample named.
    #[default]
    Refuse,
    /// It is not trained on. `run.json` has the number of such samples.
    LeaveOut,
    /// The prompt loses its beginning, in training and in evaluations. `run.json` has the number of such samples, and
    /// `completions/` the prompt as the policy saw it, with the number of tokens that it lacks.
    Cut,
}
