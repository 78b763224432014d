//! Where episodes take place.

use serde::{Deserialize, Serialize};

use crate::Registry;

/// Where episodes take place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentConfig {
    /// `gold`, where a reply is compared with the gold one and nothing answers, or one that a program registers
    /// ([`Registry::with_environment`]).
    pub kind: String,
    /// Turns of the policy in an episode, at most.
    pub max_turns: usize,
}

impl Default for EnvironmentConfig {
    fn default() -> Self {
        Self { kind: Registry::GOLD.to_owned(), max_turns: 8 }
    }
}
