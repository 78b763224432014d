//! What a loss tells about the update beside its value.

use crate::surrogate::Bound;

/// Means over tokens. Those of micro-batches are joined with [`Diagnostics::merge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Diagnostics {
    /// Tokens that the means are over.
    pub tokens: usize,
    /// Mean probability ratio `exp(logp - old_logp)`; 1 on the first update of a step.
    pub ratio_mean: f64,
    /// Share of tokens whose gradient the lower bound stopped.
    pub clip_fraction_low: f64,
    /// Share of tokens whose gradient (for CISPO: whose weight) the upper bound limited.
    pub clip_fraction_high: f64,
    /// Mean of `old_logp - logp` (k1) in nats: how far the policy went from the one that sampled.
    pub approx_kl: f64,
    /// Mean of k3 against the reference policy in nats, where the sequences carry one.
    pub ref_kl: Option<f64>,
}

impl Diagnostics {
    /// Joins with another micro-batch's, each weighing by its tokens.
    pub fn merge(&mut self, other: &Self) {
        let tokens = self.tokens + other.tokens;
        if tokens == 0 {
            return;
        }
        let share = other.tokens as f64 / tokens as f64;
        let mix = |a: f64, b: f64| a + (b - a) * share;
        *self = Self {
            tokens,
            ratio_mean: mix(self.ratio_mean, other.ratio_mean),
            clip_fraction_low: mix(self.clip_fraction_low, other.clip_fraction_low),
            clip_fraction_high: mix(self.clip_fraction_high, other.clip_fraction_high),
            approx_kl: mix(self.approx_kl, other.approx_kl),
            ref_kl: match (self.ref_kl, other.ref_kl) {
                (Some(a), Some(b)) => Some(mix(a, b)),
                (None, only) if self.tokens == 0 => only,
                (only, None) if other.tokens == 0 => only,
                _ => None,
            },
        };
    }
}

/// Sums over tokens on their way to [`Diagnostics`].
#[derive(Default)]
pub(crate) struct Tally {
    tokens: usize,
    ratio: f64,
    low: usize,
    high: usize,
    approx_kl: f64,
    ref_kl: f64,
    with_reference: usize,
}

impl Tally {
    pub(crate) fn token(&mut self, log_ratio: f64, bound: Bound) {
        self.tokens += 1;
        self.ratio += log_ratio.exp();
        self.approx_kl -= log_ratio;
        self.low += usize::from(bound == Bound::Low);
        self.high += usize::from(bound == Bound::High);
    }

    pub(crate) fn reference(&mut self, k3: f64) {
        self.ref_kl += k3;
        self.with_reference += 1;
    }

    pub(crate) fn finish(self) -> Diagnostics {
        let n = self.tokens.max(1) as f64;
        let all_have_reference = self.tokens > 0 && self.with_reference == self.tokens;
        Diagnostics {
            tokens: self.tokens,
            ratio_mean: self.ratio / n,
            clip_fraction_low: self.low as f64 / n,
            clip_fraction_high: self.high as f64 / n,
            approx_kl: self.approx_kl / n,
            ref_kl: all_have_reference.then(|| self.ref_kl / n),
        }
    }
}
