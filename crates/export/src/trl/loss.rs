//! The loss in TRL's words.

use toolrl_grpo::{Aggregation, KlConfig, KlEstimator, KlWeighting, LossConfig, SamplerRatioMode, Surrogate};
use toolrl_train::{GrpoConfig, KlReference, Renewal};

use crate::settings::Mapping;

pub(super) fn map(map: &mut Mapping, grpo: &GrpoConfig, max_new_tokens: usize) {
    let loss = &grpo.rl.loss;
    surrogate(map, loss, max_new_tokens);
    map.there("train.loss.entropy_coef", "entropy_coef", loss.entropy_coef);
    if loss.entropy_coef != 0.0 {
        map.but("the mean entropy of each micro-batch, not of the update's tokens");
    }
    kl(map, loss.kl.as_ref());
    reference(map, grpo);
    sampler_ratio(map, loss);
}

fn surrogate(map: &mut Mapping, loss: &LossConfig, max_new_tokens: usize) {
    let cispo = loss.surrogate == Surrogate::Cispo;
    let level = if loss.surrogate == Surrogate::SequenceRatio { "sequence" } else { "token" };
    map.there("train.loss.surrogate", "importance_sampling_level", level);
    let kind = match loss.aggregation {
        Aggregation::TokenMean if cispo => Some("cispo"),
        Aggregation::TokenMean => Some("dapo"),
        Aggregation::SequenceMean => Some("grpo"),
        Aggregation::SequenceSum => Some("luspo"),
        Aggregation::FixedLength { max_tokens } if max_tokens == max_new_tokens => Some("dr_grpo"),
        Aggregation::FixedLength { .. } => None,
    };
    match kind {
        Some(kind) if !cispo || kind == "cispo" => {
            map.there("train.loss.aggregation", "loss_type", kind);
        }
        Some(_) => {
            map.there("train.loss.surrogate", "loss_type", "cispo");
            map.lost("train.loss.aggregation", "cispo is a mean over tokens there");
        }
        None => {
            map.there("train.loss.surrogate", "loss_type", "dr_grpo");
            map.lost("train.loss.aggregation", "dr_grpo divides by sampling.max_new_tokens there");
        }
    }
    map.there("train.loss.clip_low", "epsilon", loss.clip_low);
    // There the weight itself is held to it, here 1 is added.
    let high = if cispo { 1.0 + loss.clip_high } else { loss.clip_high };
    map.there("train.loss.clip_high", "epsilon_high", high);
    map.there("train.loss.dual_clip", "delta", loss.dual_clip);
}

fn kl(map: &mut Mapping, kl: Option<&KlConfig>) {
    let Some(kl) = kl else {
        map.there("train.loss.kl", "beta", 0.0);
        return;
    };
    map.there("train.loss.kl.coef", "beta", kl.coef);
    map.lost_unless(kl.estimator == KlEstimator::K3, "train.loss.kl.estimator", "the estimate is k3");
    map.there("train.loss.kl.weighting", "use_bias_correction_kl", kl.weighting == KlWeighting::Ratio);
    for key in ["train.loss.kl.target", "train.loss.kl.horizon"] {
        map.lost_unless(kl.target.is_none(), key, "the coefficient stays as it is");
    }
}

fn reference(map: &mut Mapping, grpo: &GrpoConfig) {
    let rl = &grpo.rl;
    match rl.reference {
        KlReference::Start => {
            map.there("train.reference", "sync_ref_model", false);
        }
        KlReference::Renewed(Renewal { every, moving_average }) => {
            let updates = rl.updates as u64 * rl.passes as u64;
            map.there("train.reference.every", "sync_ref_model", true);
            map.there("train.reference.every", "ref_model_sync_steps", every * updates);
            map.there("train.reference.moving_average", "ref_model_mixup_alpha", moving_average);
        }
    }
}

fn sampler_ratio(map: &mut Mapping, loss: &LossConfig) {
    let name = |name: &str| format!("vllm_importance_sampling_{name}");
    map.there("train.loss.sampler_ratio_cap", &name("correction"), loss.sampler_ratio_cap.is_some());
    let Some(cap) = loss.sampler_ratio_cap else {
        map.met("train.loss.sampler_ratio_mode", "nothing is corrected");
        map.met("train.loss.sampler_ratio_floor", "nothing is corrected");
        return;
    };
    map.there("train.loss.sampler_ratio_cap", &name("clip_max"), cap);
    map.but("where vLLM samples (use_vllm), and nowhere else");
    let mode = match loss.sampler_ratio_mode {
        SamplerRatioMode::TokenTruncate => "token_truncate",
        SamplerRatioMode::TokenMask => "token_mask",
        SamplerRatioMode::SequenceTruncate => "sequence_truncate",
        SamplerRatioMode::SequenceMask => "sequence_mask",
    };
    map.there("train.loss.sampler_ratio_mode", &name("mode"), mode);
    map.there("train.loss.sampler_ratio_floor", &name("clip_min"), loss.sampler_ratio_floor);
}
