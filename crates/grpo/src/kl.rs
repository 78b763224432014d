//! Estimates of the divergence from a frozen reference policy, from the sampled tokens alone.
//!
//! With `d = ref_logp - logp` of a token drawn from the policy (J. Schulman, "Approximating KL
//! Divergence", 2020): `k1 = -d` (no bias, much noise, negative at times), `k2 = d^2 / 2` (little
//! noise, biased), `k3 = exp(d) - d - 1` (no bias, never negative; GRPO, arXiv 2402.03300).

use crate::adaptive_kl::Coefficient;
use crate::surrogate::Term;
use crate::{AdaptiveKl, GrpoError};

/// Which estimate of a token's divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlEstimator {
    /// `logp - ref_logp`. In a loss its derivative is 1 whatever the reference: it pushes all
    /// sampled tokens down alike and does not pull to the reference. It belongs in a reward, see
    /// [`KlPenalty`].
    K1,
    /// `(logp - ref_logp)^2 / 2`, whose derivative is the gradient of the reverse divergence.
    K2,
    /// `exp(ref_logp - logp) - (ref_logp - logp) - 1`.
    #[default]
    K3,
}

/// Whether the sampled tokens stand for the present policy or for the one that drew them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlWeighting {
    /// The estimate as it is.
    #[default]
    None,
    /// Times the token's probability ratio, which the derivative goes through: corrects for tokens
    /// that were drawn from the old policy (DeepSeek-V3.2, arXiv 2512.02556).
    Ratio,
}

/// A divergence term of the loss.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KlConfig {
    /// Its weight against the policy term.
    pub coef: f64,
    /// The estimate.
    pub estimator: KlEstimator,
    /// Its correction for tokens of the old policy.
    pub weighting: KlWeighting,
    /// The divergence in nats a reply that the weight is moved towards, see [`AdaptiveKl`]; a trainer then keeps the weight,
    /// which begins with `coef`. None by default: the weight stays.
    pub target: Option<f64>,
    /// [`AdaptiveKl::horizon`], in replies; [`AdaptiveKl::HORIZON`] by default.
    pub horizon: Option<f64>,
}

impl Default for KlConfig {
    fn default() -> Self {
        Self {
            coef: 0.001,
            estimator: KlEstimator::K3,
            weighting: KlWeighting::None,
            target: None,
            horizon: None,
        }
    }
}

impl KlConfig {
    /// How the weight follows the divergence, where it does.
    pub fn adaptive(&self) -> Option<AdaptiveKl> {
        self.coefficient().adaptive()
    }

    pub(crate) fn coefficient(&self) -> Coefficient {
        let &Self { coef, target, horizon, .. } = self;
        Coefficient { names: ["kl.coef", "kl.target", "kl.horizon"], coef, target, horizon }
    }

    /// `coef * k` of one token and its derivative by `logp`.
    pub(crate) fn term(&self, logp: f64, ref_logp: f64, ratio: f64) -> Term {
        let k = self.estimator.term(logp, ref_logp);
        let k = match self.weighting {
            KlWeighting::None => k,
            KlWeighting::Ratio => Term { value: ratio * k.value, d_logp: ratio * (k.value + k.d_logp) },
        };
        Term { value: self.coef * k.value, d_logp: self.coef * k.d_logp }
    }
}

impl KlEstimator {
    /// The estimate of each token, with the policy that drew the tokens as `old_logp`.
    pub fn of_tokens<F: Copy + Into<f64>>(self, old_logp: &[F], ref_logp: &[F]) -> impl Iterator<Item = f64> {
        old_logp
            .iter()
            .zip(ref_logp)
            .map(move |(&old, &reference)| self.term(old.into(), reference.into()).value)
    }

    /// The estimate of one token and its derivative by `logp`.
    pub(crate) fn term(self, logp: f64, ref_logp: f64) -> Term {
        let d = ref_logp - logp;
        match self {
            Self::K1 => Term { value: -d, d_logp: 1.0 },
            Self::K2 => Term { value: d * d / 2.0, d_logp: -d },
            Self::K3 => Term { value: d.exp_m1() - d, d_logp: -d.exp_m1() },
        }
    }
}

/// A divergence from the reference that is taken off the reward, instead of standing in the loss.
///
/// ToolRL's released code takes `0.001 * sum(old_logp - ref_logp)` off a reply's reward; the paper's text has no such
/// term. Mind that a group of equal task rewards then gets advantages of unit size out of this term alone.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KlPenalty {
    /// Its weight against the reward.
    pub coef: f64,
    /// The estimate.
    pub estimator: KlEstimator,
    /// As of [`KlConfig`]: the divergence in nats a reply that the weight is moved towards.
    pub target: Option<f64>,
    /// As of [`KlConfig`].
    pub horizon: Option<f64>,
}

impl Default for KlPenalty {
    fn default() -> Self {
        Self { coef: 0.001, estimator: KlEstimator::K1, target: None, horizon: None }
    }
}

impl KlPenalty {
    /// How the weight follows the divergence, where it does.
    pub fn adaptive(&self) -> Option<AdaptiveKl> {
        self.coefficient().adaptive()
    }

    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`GrpoError`] with the key and the values it may have.
    pub fn validate(&self) -> Result<(), GrpoError> {
        self.coefficient().validate()
    }

    fn coefficient(&self) -> Coefficient {
        let &Self { coef, target, horizon, .. } = self;
        Coefficient { names: ["coef", "target", "horizon"], coef, target, horizon }
    }

    /// What each token costs: `coef * k`, with the policy that drew the tokens as `old_logp`.
    pub fn of_tokens<F: Copy + Into<f64>>(&self, old_logp: &[F], ref_logp: &[F]) -> Vec<f64> {
        self.estimator.of_tokens(old_logp, ref_logp).map(|k| self.coef * k).collect()
    }
}
