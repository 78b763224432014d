//! Estimates of the divergence from a frozen reference policy, from the sampled tokens alone.
//!
//! With `d = ref_logp - logp` of a token drawn from the policy (J. Schulman, "Approximating KL
//! Divergence", 2020): `k1 = -d` (no bias, much noise, negative at times), `k2 = d^2 / 2` (little
//! noise, biased), `k3 = exp(d) - d - 1` (no bias, never negative; GRPO, arXiv 2402.03300).

use crate::surrogate::Term;

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
}

impl Default for KlConfig {
    fn default() -> Self {
        Self { coef: 0.001, estimator: KlEstimator::K3, weighting: KlWeighting::None }
    }
}

impl KlConfig {
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
}

impl Default for KlPenalty {
    fn default() -> Self {
        Self { coef: 0.001, estimator: KlEstimator::K1 }
    }
}

impl KlPenalty {
    /// What each token costs: `coef * k`, with the policy that drew the tokens as `old_logp`.
    pub fn of_tokens<F: Copy + Into<f64>>(&self, old_logp: &[F], ref_logp: &[F]) -> Vec<f64> {
        let k = |(&old, &reference): (&F, &F)| self.estimator.term(old.into(), reference.into()).value;
        old_logp.iter().zip(ref_logp).map(|pair| self.coef * k(pair)).collect()
    }
}
