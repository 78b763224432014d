//! What the policy is held to, and how strongly: what of a run's state is neither a model in training nor a random number.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdaptiveKl, KlEstimator, moving_average};
use toolrl_policy::Policy;
use toolrl_record::{AdaptiveKlMetrics, GrpoMetrics};
use toolrl_rollout::Group;

use super::Credited;
use crate::checkpoint::State;
use crate::{KlReference, Renewal, RlConfig, TrainError};

/// The reference, and the coefficients that follow the divergence from it.
#[derive(Debug, Default)]
pub(crate) struct Divergence {
    /// The policy that divergences are measured from, where the loss or the reward has one.
    pub reference: Option<Policy>,
    pub(super) renewal: Option<Renewal>,
    pub(super) coefficients: Coefficients,
}

/// Coefficients as they are now, of those that follow a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Coefficients {
    kl_penalty: Option<f64>,
    loss: Option<f64>,
}

/// The files of this state in a checkpoint's folder of the trainer.
const REFERENCE: &str = "reference.safetensors";
const COEFFICIENTS: &str = "kl.json";

impl Divergence {
    /// That of a run which begins with `start` and trains `trained`: the start, with what is trained beside it.
    pub(crate) fn of(config: &RlConfig, start: Policy, trained: Policy) -> Self {
        let (reference, renewal) = match config.reference {
            // Fresh adapters leave the start as it was: it is the reference, and no second copy.
            KlReference::Start => (start, None),
            // What follows the policy has its parameters, which for fresh adapters change nothing yet.
            KlReference::Renewed(renewal) => (trained, Some(renewal)),
        };
        let coefficients = Coefficients {
            kl_penalty: config.kl_penalty.and_then(|of| of.adaptive().map(|_| of.coef)),
            loss: config.loss.kl.and_then(|of| of.adaptive().map(|_| of.coef)),
        };
        Self { reference: config.has_reference().then_some(reference), renewal, coefficients }
    }

    /// The settings with the coefficients as they are now.
    pub(crate) fn present(&self, config: &RlConfig) -> RlConfig {
        let mut config = config.clone();
        if let (Some(penalty), Some(coef)) = (&mut config.kl_penalty, self.coefficients.kl_penalty) {
            penalty.coef = coef;
        }
        if let (Some(kl), Some(coef)) = (&mut config.loss.kl, self.coefficients.loss) {
            kl.coef = coef;
        }
        config
    }

    /// The coefficients of a step that follow a target, with the divergence that was measured for each: mean over the
    /// step's replies of the sum over a reply's tokens, by the estimator of the setting.
    pub(crate) fn metrics(
        &self,
        config: &RlConfig,
        credited: &[Group<Credited>],
    ) -> BTreeMap<String, AdaptiveKlMetrics> {
        let of_replies = |estimator: KlEstimator| {
            let members = credited.iter().flat_map(|group| &group.members);
            let of: Vec<f64> = members.filter_map(|member| member.measured.divergence(estimator)).collect();
            of.iter().sum::<f64>() / of.len().max(1) as f64
        };
        let row = |coef: Option<f64>, estimator: Option<KlEstimator>| {
            Some(AdaptiveKlMetrics { coef: coef?, divergence: of_replies(estimator?) })
        };
        let rows = [
            (PENALTY, row(self.coefficients.kl_penalty, config.kl_penalty.map(|of| of.estimator))),
            (LOSS, row(self.coefficients.loss, config.loss.kl.map(|of| of.estimator))),
        ];
        rows.into_iter().filter_map(|(name, row)| Some((name.to_owned(), row?))).collect()
    }

    /// Follows the policy that a step ends with, and what it measured over so many replies.
    pub(crate) fn end_step(
        &mut self,
        step: u64,
        (config, policy): (&RlConfig, &Policy),
        (measured, replies): (&GrpoMetrics, usize),
    ) {
        let next = |name: &str, adaptive: Option<AdaptiveKl>| {
            let AdaptiveKlMetrics { coef, divergence } = *measured.adaptive_kl.get(name)?;
            Some(adaptive?.next(coef, divergence, replies))
        };
        self.coefficients = Coefficients {
            kl_penalty: next(PENALTY, config.kl_penalty.and_then(|of| of.adaptive())),
            loss: next(LOSS, config.loss.kl.and_then(|of| of.adaptive())),
        };
        if let (Some(reference), Some(renewal)) = (&mut self.reference, self.renewal)
            && step.is_multiple_of(renewal.every)
        {
            renew(reference, policy, renewal.moving_average);
        }
    }

    /// Writes it into a checkpoint's folder of the trainer: the exact values of what follows the policy.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), TrainError> {
        if let (Some(reference), Some(_)) = (&self.reference, self.renewal) {
            let state = State { values: reference.trained_values(), ..State::default() };
            state.write(&folder.join(REFERENCE))?;
        }
        if self.coefficients != Coefficients::default() {
            let (path, json) = (folder.join(COEFFICIENTS), serde_json::to_vec(&self.coefficients));
            std::fs::write(&path, json.unwrap_or_default())
                .map_err(|source| TrainError::Write { path, source })?;
        }
        Ok(())
    }

    /// Puts back what a checkpoint has. What it lacks was not asked for when it was written, and is as at the beginning.
    pub(crate) fn restore(&mut self, folder: &Path) -> Result<(), TrainError> {
        let values = folder.join(REFERENCE);
        if let (Some(reference), Some(renewal)) = (&mut self.reference, self.renewal)
            && values.exists()
        {
            reference.set_trained_values(&State::read(&values)?.values)?;
            if renewal.moving_average == 1.0 {
                *reference = reference.frozen();
            }
        }
        let path = folder.join(COEFFICIENTS);
        if path.exists() {
            let broken = |what: String| TrainError::CheckpointFile { path: path.clone(), what };
            let json = std::fs::read(&path).map_err(|e| broken(e.to_string()))?;
            let saved: Coefficients = serde_json::from_slice(&json).map_err(|e| broken(e.to_string()))?;
            let Coefficients { kl_penalty, loss } = &mut self.coefficients;
            for (own, saved) in [(kl_penalty, saved.kl_penalty), (loss, saved.loss)] {
                *own = own.map(|initial| saved.unwrap_or(initial));
            }
        }
        Ok(())
    }
}

/// The names of the two coefficients in a step's row.
const PENALTY: &str = "kl_penalty";
const LOSS: &str = "loss";

/// Moves a reference to the policy, or towards it.
fn renew(reference: &mut Policy, policy: &Policy, alpha: f64) {
    if alpha == 1.0 {
        *reference = policy.frozen();
        return;
    }
    let values = policy.trained_values();
    let mut fits = true;
    reference.update(|i, own| fits &= moving_average(own, &values[i], alpha).is_ok());
    debug_assert!(fits, "the reference has the policy's parameters");
}

#[cfg(test)]
#[path = "divergence_tests.rs"]
mod tests;
