//! Which loss: its settings, and which of them go together.

use crate::sampler_ratio::SamplerCorrection;
use crate::surrogate::Bounds;
use crate::{Aggregation, GrpoError, KlConfig, SamplerRatioMode, Surrogate};

/// Which loss. The default is ToolRL's but for its entropy bonus of 0.001: ratio clip 0.2 on both sides, token
/// mean, no KL.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The policy term.
    pub surrogate: Surrogate,
    /// The ratio's lower bound is 1 minus this.
    pub clip_low: f64,
    /// The ratio's upper bound is 1 plus this.
    pub clip_high: f64,
    /// Dual-clip PPO's second clip (arXiv 1912.09729; verl's `clip_ratio_c`, TRL's `delta`): the ratio of a token with a
    /// negative advantage counts as this at most, and has no gradient beyond. Of ratios that are clipped at all, so not of
    /// [`Surrogate::Cispo`]. None by default.
    pub dual_clip: Option<f64>,
    /// How tokens are weighed.
    pub aggregation: Aggregation,
    /// A divergence term against the reference; none by default.
    pub kl: Option<KlConfig>,
    /// Weight of the mean token entropy, which is subtracted from the loss; 0 for none.
    pub entropy_coef: f64,
    /// Importance correction between sampler and trainer: a token's policy term is multiplied by the ratio
    /// `exp(old_logp - sampler_logp)`, which this bounds, held constant. None by default.
    pub sampler_ratio_cap: Option<f64>,
    /// What that ratio is taken of, and what becomes of one that is beyond its bounds.
    pub sampler_ratio_mode: SamplerRatioMode,
    /// Of modes that mask: a ratio below this is masked too. None by default.
    pub sampler_ratio_floor: Option<f64>,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            surrogate: Surrogate::TokenRatio,
            clip_low: 0.2,
            clip_high: 0.2,
            dual_clip: None,
            aggregation: Aggregation::TokenMean,
            kl: None,
            entropy_coef: 0.0,
            sampler_ratio_cap: None,
            sampler_ratio_mode: SamplerRatioMode::default(),
            sampler_ratio_floor: None,
        }
    }
}

impl LossConfig {
    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`GrpoError::Setting`] with the key and the values it may have, [`GrpoError::Conflict`] with what it does not go
    /// with.
    pub fn validate(&self) -> Result<(), GrpoError> {
        let checks = [
            ("clip_low", self.clip_low, (0.0..=1.0).contains(&self.clip_low), "0 to 1"),
            ("clip_high", self.clip_high, self.clip_high >= 0.0, "0 or more"),
            ("entropy_coef", self.entropy_coef, self.entropy_coef.is_finite(), "a finite number"),
            (
                "sampler_ratio_cap",
                self.sampler_ratio_cap.unwrap_or(1.0),
                self.sampler_ratio_cap.is_none_or(|cap| cap > 0.0),
                "above 0",
            ),
            (
                "dual_clip",
                self.dual_clip.unwrap_or(2.0),
                self.dual_clip.is_none_or(|clip| clip > 1.0 && clip.is_finite()),
                "a number above 1",
            ),
            (
                "sampler_ratio_floor",
                self.sampler_ratio_floor.unwrap_or_default(),
                self.sampler_ratio_floor.is_none_or(|floor| {
                    floor > 0.0 && floor < self.sampler_ratio_cap.unwrap_or(f64::INFINITY)
                }),
                "above 0 and below sampler_ratio_cap",
            ),
        ];
        for (name, value, fits, expected) in checks {
            if !fits {
                return Err(GrpoError::Setting { name, value, expected });
            }
        }
        if self.aggregation == (Aggregation::FixedLength { max_tokens: 0 }) {
            let (name, expected) = ("aggregation.fixed_length.max_tokens", "1 or more");
            return Err(GrpoError::Setting { name, value: 0.0, expected });
        }
        self.check_conflicts()?;
        self.kl.map_or(Ok(()), |kl| kl.coefficient().validate())
    }

    fn check_conflicts(&self) -> Result<(), GrpoError> {
        let (mode, is_corrected) = (self.sampler_ratio_mode, self.sampler_ratio_cap.is_some());
        let has_floor = self.sampler_ratio_floor.is_some();
        let conflicts = [
            (
                "dual_clip",
                self.dual_clip.is_some() && self.surrogate == Surrogate::Cispo,
                "cispo clips no ratio: its weight is held to 1 + clip_high whatever the advantage's sign",
            ),
            (
                "sampler_ratio_mode",
                mode != SamplerRatioMode::default() && !is_corrected,
                "it does nothing without sampler_ratio_cap",
            ),
            ("sampler_ratio_floor", has_floor && !is_corrected, "it does nothing without sampler_ratio_cap"),
            (
                "sampler_ratio_floor",
                has_floor && !mode.masks(),
                "it is of the modes token_mask and sequence_mask",
            ),
        ];
        match conflicts.into_iter().find(|(_, holds, _)| *holds) {
            Some((name, _, why)) => Err(GrpoError::Conflict { name, why }),
            None => Ok(()),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let dual = self.dual_clip.unwrap_or(f64::INFINITY);
        Bounds { low: 1.0 - self.clip_low, high: 1.0 + self.clip_high, dual }
    }

    pub(crate) fn sampler_correction(&self) -> Option<SamplerCorrection> {
        let (mode, floor) = (self.sampler_ratio_mode, self.sampler_ratio_floor.unwrap_or_default());
        self.sampler_ratio_cap.map(|cap| SamplerCorrection { mode, cap, floor })
    }
}
