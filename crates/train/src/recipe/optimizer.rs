//! AdamW as a recipe states it.

use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdamWConfig, LrSchedule};

use crate::TrainError;

/// AdamW, its learning rate, and clipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The highest learning rate.
    pub lr: f64,
    /// How it changes over the run.
    pub schedule: LrSchedule,
    /// Moments and weight decay.
    pub adamw: AdamWConfig,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { lr: 1e-6, schedule: LrSchedule::default(), adamw: AdamWConfig::default(), max_grad_norm: 1.0 }
    }
}

impl OptimizerConfig {
    /// Refuses a rate that means nothing.
    pub(crate) fn check(&self, key: &str) -> Result<(), TrainError> {
        if self.lr >= 0.0 && self.lr.is_finite() {
            return Ok(());
        }
        Err(TrainError::Recipe(format!("{key}.lr = {} should be 0 or more", self.lr)))
    }
}
