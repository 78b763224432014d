//! What a loss tells about the update beside its value.

use crate::sampler_ratio::SamplerWeight;
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
    /// Share of tokens whose gradient the second clip stopped, where the loss has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dual_clip_fraction: Option<f64>,
    /// Mean weight by which tokens are corrected for their sampler, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler_weight_mean: Option<f64>,
    /// Share of tokens whose weight a bound cut, or set to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler_cut_fraction: Option<f64>,
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
        let mix_known = |a, b| match (a, b) {
            (Some(a), Some(b)) => Some(mix(a, b)),
            (None, only) if self.tokens == 0 => only,
            (only, None) if other.tokens == 0 => only,
            _ => None,
        };
        *self = Self {
            tokens,
            ratio_mean: mix(self.ratio_mean, other.ratio_mean),
            clip_fraction_low: mix(self.clip_fraction_low, other.clip_fraction_low),
            clip_fraction_high: mix(self.clip_fraction_high, other.clip_fraction_high),
            approx_kl: mix(self.approx_kl, other.approx_kl),
            ref_kl: mix_known(self.ref_kl, other.ref_kl),
            dual_clip_fraction: mix_known(self.dual_clip_fraction, other.dual_clip_fraction),
            sampler_weight_mean: mix_known(self.sampler_weight_mean, other.sampler_weight_mean),
            sampler_cut_fraction: mix_known(self.sampler_cut_fraction, other.sampler_cut_fraction),
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
    /// Tokens at the second clip, where there is one.
    dual: Option<usize>,
    sampler_weight: f64,
    sampler_cut: usize,
    with_sampler: usize,
}

impl Tally {
    /// Of a loss with this second clip.
    pub(crate) fn new(dual_clip: Option<f64>) -> Self {
        Self { dual: dual_clip.map(|_| 0), ..Self::default() }
    }

    pub(crate) fn token(&mut self, log_ratio: f64, bound: Bound) {
        self.tokens += 1;
        self.ratio += log_ratio.exp();
        self.approx_kl -= log_ratio;
        self.low += usize::from(bound == Bound::Low);
        self.high += usize::from(bound == Bound::High);
        if let Some(dual) = &mut self.dual {
            *dual += usize::from(bound == Bound::Dual);
        }
    }

    pub(crate) fn sampler(&mut self, SamplerWeight { weight, cut }: SamplerWeight) {
        self.sampler_weight += weight;
        self.sampler_cut += usize::from(cut);
        self.with_sampler += 1;
    }

    pub(crate) fn reference(&mut self, k3: f64) {
        self.ref_kl += k3;
        self.with_reference += 1;
    }

    pub(crate) fn finish(self) -> Diagnostics {
        let n = self.tokens.max(1) as f64;
        let all_have = |with: usize| self.tokens > 0 && with == self.tokens;
        let is_corrected = all_have(self.with_sampler);
        Diagnostics {
            tokens: self.tokens,
            ratio_mean: self.ratio / n,
            clip_fraction_low: self.low as f64 / n,
            clip_fraction_high: self.high as f64 / n,
            approx_kl: self.approx_kl / n,
            ref_kl: all_have(self.with_reference).then(|| self.ref_kl / n),
            dual_clip_fraction: self.dual.filter(|_| self.tokens > 0).map(|dual| dual as f64 / n),
            sampler_weight_mean: is_corrected.then(|| self.sampler_weight / n),
            sampler_cut_fraction: is_corrected.then(|| self.sampler_cut as f64 / n),
        }
    }
}
