//! What becomes of adapters that a run's start has.

use serde::{Deserialize, Serialize};

/// What becomes of adapters that the policy has which a run begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAdapters {
    /// They are what is trained on. `train.lora` may be absent; where it is there it has their rank and alpha.
    #[default]
    Continue,
    /// They are added to the weights first. `train.lora` then asks for fresh ones.
    Merge,
}
