//! What a run does when its numbers go wrong.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// What a run does when its numbers go wrong. The defaults stop it, with nothing lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// What happens to an update whose loss or gradient is no number, or whose gradient spikes. Its batch is written to
    /// `faults/` either way.
    pub on_fault: OnFault,
    /// Updates in a row that may be left out; one more stops the run.
    pub max_skips: u32,
    /// A gradient whose norm is above this many times the median of the last 32 updates is a fault, once there are 32.
    /// None by default.
    pub grad_spike: Option<f64>,
    /// A run stops when the sampler's log-probabilities are further from the trainer's than this, in nats, mean over a
    /// step's tokens.
    pub max_logprob_gap: f64,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self { on_fault: OnFault::Stop, max_skips: 3, grad_spike: None, max_logprob_gap: 0.1 }
    }
}

/// What happens to an update that a guard finds at fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFault {
    /// The run stops.
    #[default]
    Stop,
    /// The update is left out and counted.
    Skip,
}

impl GuardConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |key: &str, value: f64, expected: &str| {
            Err(TrainError::Recipe(format!("train.guards.{key} = {value} should be {expected}")))
        };
        match self.grad_spike {
            Some(factor) if factor.is_nan() || factor <= 1.0 => {
                return wrong("grad_spike", factor, "above 1");
            }
            _ => {}
        }
        if self.max_logprob_gap > 0.0 {
            Ok(())
        } else {
            wrong("max_logprob_gap", self.max_logprob_gap, "above 0")
        }
    }
}
