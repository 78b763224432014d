//! A divergence's coefficient that follows the divergence.

use crate::GrpoError;

/// Where a divergence's coefficient takes the divergence, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveKl {
    /// The divergence that is aimed at, in nats a reply.
    pub target: f64,
    /// Replies over which an error at its bound multiplies the coefficient by about 1.2, or by 0.8.
    pub horizon: f64,
}

impl AdaptiveKl {
    /// [`AdaptiveKl::horizon`] where none is set: that of lm-human-preferences, TRL and verl.
    pub const HORIZON: f64 = 10_000.0;
    /// The bound of the proportional error, either way.
    pub const BOUND: f64 = 0.2;

    /// The coefficient after `replies` replies whose mean divergence was `divergence`, in nats a reply:
    /// `coef * (1 + clip(divergence / target - 1, -0.2, 0.2) * replies / horizon)`. Ziegler et al., "Fine-Tuning Language
    /// Models from Human Preferences", arXiv 1909.08593; the horizon is from its code, as in TRL's and verl's
    /// `AdaptiveKLController`.
    pub fn next(self, coef: f64, divergence: f64, replies: usize) -> f64 {
        let error = (divergence / self.target - 1.0).clamp(-Self::BOUND, Self::BOUND);
        coef * (1.0 + error * replies as f64 / self.horizon)
    }
}

/// A coefficient with its controller as settings state them, under the names of their keys.
pub(crate) struct Coefficient {
    pub names: [&'static str; 3],
    pub coef: f64,
    pub target: Option<f64>,
    pub horizon: Option<f64>,
}

impl Coefficient {
    /// Refuses numbers that mean nothing.
    pub(crate) fn validate(&self) -> Result<(), GrpoError> {
        let [coef, target, horizon] = self.names;
        let setting = |name, value, expected| Err(GrpoError::Setting { name, value, expected });
        let is_size = |value: Option<f64>| value.is_none_or(|v| v > 0.0 && v.is_finite());
        if !self.coef.is_finite() {
            return setting(coef, self.coef, "a finite number");
        }
        if !is_size(self.target) {
            return setting(target, self.target.unwrap_or_default(), "a number above 0");
        }
        if !is_size(self.horizon) {
            return setting(horizon, self.horizon.unwrap_or_default(), "a number above 0");
        }
        match self.target {
            None if self.horizon.is_some() => {
                Err(GrpoError::Conflict { name: horizon, why: "there is no target beside it" })
            }
            Some(_) if self.coef <= 0.0 => {
                setting(coef, self.coef, "above 0 where it follows a target: it is multiplied")
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn adaptive(&self) -> Option<AdaptiveKl> {
        Some(AdaptiveKl { target: self.target?, horizon: self.horizon.unwrap_or(AdaptiveKl::HORIZON) })
    }
}
