//! The loss in verl's words.

use serde_json::{Value, json};
use toolrl_grpo::{Aggregation, KlConfig, KlEstimator, KlWeighting, LossConfig, SamplerRatioMode, Surrogate};
use toolrl_train::{KlReference, RlConfig};

use crate::settings::Mapping;

use super::ACTOR;

/// A second clip so far off that no ratio meets it: verl's default is 3.
const NO_CLIP: f64 = 1e6;
/// The least ratio that a mode which masks keeps where the recipe has no floor: verl masks between two bounds alone.
const NO_FLOOR: f64 = 1e-6;

pub(super) fn map(map: &mut Mapping, rl: &RlConfig) {
    let loss = &rl.loss;
    surrogate(map, loss);
    map.there("train.loss.entropy_coef", &format!("{ACTOR}.entropy_coeff"), loss.entropy_coef);
    kl(map, loss.kl.as_ref());
    let start = rl.reference == KlReference::Start;
    map.lost_unless(start, "train.reference", "the reference is the policy that the run begins with");
    sampler_ratio(map, loss);
}

fn surrogate(map: &mut Mapping, loss: &LossConfig) {
    let name = |name: &str| format!("{ACTOR}.{name}");
    let mode = match loss.surrogate {
        Surrogate::TokenRatio => "vanilla",
        Surrogate::SequenceRatio => "gspo",
        Surrogate::Cispo => "cispo",
    };
    map.there("train.loss.surrogate", &name("policy_loss.loss_mode"), mode);
    let (aggregation, scale) = match loss.aggregation {
        Aggregation::TokenMean => ("token-mean", Value::Null),
        Aggregation::SequenceMean => ("seq-mean-token-mean", Value::Null),
        Aggregation::SequenceSum => ("seq-mean-token-sum", Value::Null),
        Aggregation::FixedLength { max_tokens } => ("seq-mean-token-sum-norm", json!(max_tokens)),
    };
    map.there("train.loss.aggregation", &name("loss_agg_mode"), aggregation);
    map.there("train.loss.aggregation", &name("loss_scale_factor"), scale);
    if loss.surrogate == Surrogate::SequenceRatio && loss.aggregation != Aggregation::SequenceMean {
        map.but("gspo is a mean over replies there, whatever this says");
    }
    // cispo has a lower clip there, and none here.
    let low = if loss.surrogate == Surrogate::Cispo { 1.0 } else { loss.clip_low };
    map.there("train.loss.clip_low", &name("clip_ratio_low"), low);
    map.there("train.loss.clip_high", &name("clip_ratio_high"), loss.clip_high);
    map.there("train.loss.dual_clip", &name("clip_ratio_c"), loss.dual_clip.unwrap_or(NO_CLIP));
    if loss.dual_clip.is_none() {
        map.but("verl always has a second clip: this one is out of reach");
    }
}

fn kl(map: &mut Mapping, kl: Option<&KlConfig>) {
    let name = |name: &str| format!("{ACTOR}.{name}");
    let Some(kl) = kl else {
        map.there("train.loss.kl", &name("use_kl_loss"), false);
        return;
    };
    map.there("train.loss.kl.coef", &name("use_kl_loss"), true);
    map.there("train.loss.kl.coef", &name("kl_loss_coef"), kl.coef);
    let estimator = match kl.estimator {
        KlEstimator::K1 => "kl",
        KlEstimator::K2 => "mse",
        KlEstimator::K3 => "low_var_kl",
    };
    map.there("train.loss.kl.estimator", &name("kl_loss_type"), estimator);
    map.lost_unless(
        kl.weighting == KlWeighting::None,
        "train.loss.kl.weighting",
        "the estimate is not weighted",
    );
    for key in ["train.loss.kl.target", "train.loss.kl.horizon"] {
        map.lost_unless(kl.target.is_none(), key, "the coefficient stays as it is");
    }
}

fn sampler_ratio(map: &mut Mapping, loss: &LossConfig) {
    let name = |name: &str| format!("algorithm.rollout_correction.{name}");
    let Some(cap) = loss.sampler_ratio_cap else {
        map.there("train.loss.sampler_ratio_cap", &name("rollout_is"), Value::Null);
        map.met("train.loss.sampler_ratio_mode", "nothing is corrected");
        map.met("train.loss.sampler_ratio_floor", "nothing is corrected");
        return;
    };
    let mode = loss.sampler_ratio_mode;
    let masks = matches!(mode, SamplerRatioMode::TokenMask | SamplerRatioMode::SequenceMask);
    let floor = loss.sampler_ratio_floor.unwrap_or(NO_FLOOR);
    let threshold = if masks { json!(format!("{floor}_{cap}")) } else { json!(cap) };
    map.there("train.loss.sampler_ratio_cap", &name("rollout_is_threshold"), threshold);
    let of_tokens = matches!(mode, SamplerRatioMode::TokenMask | SamplerRatioMode::TokenTruncate);
    map.there(
        "train.loss.sampler_ratio_mode",
        &name("rollout_is"),
        if of_tokens { "token" } else { "sequence" },
    );
    map.met("train.loss.sampler_ratio_floor", "in rollout_is_threshold");
}
