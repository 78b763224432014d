//! Importance correction between the sampler that drew a reply and the trainer, as weights of the policy term.

/// What the ratio `exp(old_logp - sampler_logp)` is taken of, and what becomes of one beyond its bounds. The names are
/// those of TRL's `vllm_importance_sampling_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerRatioMode {
    /// A token's weight is `min(ratio, cap)`, its ratio its own: truncated importance sampling (Yao et al., "Your
    /// Efficient RL Framework Secretly Brings You Off-Policy RL Training", 2025).
    #[default]
    TokenTruncate,
    /// A token's weight is its ratio, and 0 where that is above the cap or below the floor: with a floor IcePop's (Ring-1T,
    /// arXiv 2510.18855).
    TokenMask,
    /// Every token of a reply has the weight `min(ratio, cap)`, the ratio being the product of those of all its tokens
    /// (Liu, Li et al., "When Speed Kills Stability: Demystifying RL Collapse from the Training-Inference Mismatch", 2025).
    SequenceTruncate,
    /// Every token of a reply has the reply's ratio as its weight, and 0 where that is above the cap or below the floor
    /// (the same).
    SequenceMask,
}

/// A mode with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SamplerCorrection {
    pub mode: SamplerRatioMode,
    pub cap: f64,
    /// 0 for none.
    pub floor: f64,
}

/// A token's weight, which is held constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SamplerWeight {
    pub weight: f64,
    /// Whether a bound changed it.
    pub cut: bool,
}

impl SamplerRatioMode {
    /// Whether a ratio beyond its bounds leaves its tokens without a policy term.
    pub fn masks(self) -> bool {
        matches!(self, Self::TokenMask | Self::SequenceMask)
    }

    fn of_sequence(self) -> bool {
        matches!(self, Self::SequenceTruncate | Self::SequenceMask)
    }
}

impl SamplerCorrection {
    /// The weights of a reply's tokens, given their log-probabilities under trainer and sampler.
    pub(crate) fn weights(self, old_logp: &[f64], sampler_logp: &[f64]) -> Vec<SamplerWeight> {
        let of_tokens = old_logp.iter().zip(sampler_logp).map(|(old, sampler)| old - sampler);
        if self.mode.of_sequence() {
            return vec![self.weight(of_tokens.sum()); old_logp.len()];
        }
        of_tokens.map(|log_ratio| self.weight(log_ratio)).collect()
    }

    fn weight(self, log_ratio: f64) -> SamplerWeight {
        let ratio = log_ratio.exp();
        let cut = ratio > self.cap || ratio < self.floor;
        let weight = if cut && self.mode.masks() { 0.0 } else { ratio.min(self.cap) };
        SamplerWeight { weight, cut }
    }
}
