//! AdamW as a recipe states it.

use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdamWConfig, LrSchedule};

use crate::TrainError;
pub use crate::moments::MomentStorage;

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
    /// How the two moments are stored, on the CPU.
    pub moments: MomentStorage,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            lr: 1e-6,
            schedule: LrSchedule::default(),
            adamw: AdamWConfig::default(),
            max_grad_norm: 1.0,
            moments: MomentStorage::default(),
        }
    }
}

impl OptimizerConfig {
    /// Refuses numbers that mean nothing.
    pub(crate) fn check(&self, key: &str) -> Result<(), TrainError> {
        let AdamWConfig { beta1, beta2, epsilon, weight_decay } = self.adamw;
        let decays = |value: f64| (0.0..1.0).contains(&value);
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let rules = [
            ("lr", self.lr, not_negative(self.lr), "0 or more"),
            ("max_grad_norm", self.max_grad_norm, self.max_grad_norm > 0.0, "above 0"),
            ("adamw.beta1", beta1, decays(beta1), "0 or more and below 1"),
            ("adamw.beta2", beta2, decays(beta2), "0 or more and below 1"),
            ("adamw.epsilon", epsilon, epsilon > 0.0 && epsilon.is_finite(), "above 0"),
            ("adamw.weight_decay", weight_decay, not_negative(weight_decay), "0 or more"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            None => Ok(()),
            Some((name, value, _, expected)) => {
                Err(TrainError::Recipe(format!("{key}.{name} = {value} should be {expected}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_mean_nothing_are_refused_by_name() {
        assert!(OptimizerConfig::default().check("o").is_ok());
        let unclipped = OptimizerConfig { max_grad_norm: f64::INFINITY, ..OptimizerConfig::default() };
        assert!(unclipped.check("o").is_ok());
        type Set = fn(&mut OptimizerConfig);
        let cases: [(&str, Set); 7] = [
            ("o.lr = -1", |o| o.lr = -1.0),
            ("o.lr = NaN", |o| o.lr = f64::NAN),
            ("o.max_grad_norm = 0", |o| o.max_grad_norm = 0.0),
            ("o.adamw.beta1 = 1", |o| o.adamw.beta1 = 1.0),
            ("o.adamw.beta2 = 1", |o| o.adamw.beta2 = 1.0),
            ("o.adamw.epsilon = 0", |o| o.adamw.epsilon = 0.0),
            ("o.adamw.weight_decay = -0.1", |o| o.adamw.weight_decay = -0.1),
        ];
        for (expected, set) in cases {
            let mut config = OptimizerConfig::default();
            set(&mut config);
            let message = config.check("o").unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
