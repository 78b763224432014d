//! Second clips, corrections for the sampler, adaptive coefficients and moving averages, against values computed with
//! PyTorch (`fixtures/reference/losses.py`).

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[allow(dead_code, reason = "the rest is golden.rs's")]
mod common;

use common::{Case, assert_close, values};
use serde_json::Value;
use toolrl_grpo::*;

/// The replies, and what was computed of them.
fn committed() -> (Case<f64>, Value) {
    let reference = toolrl_testing::references().remove(0);
    let losses = std::fs::read(reference.values.join("losses.json")).unwrap();
    (Case::of(&values(&reference)), serde_json::from_slice(&losses).unwrap())
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn losses_their_derivatives_and_what_they_tell_equal_pytorchs() {
    let (case, golden) = committed();
    let samplers: Vec<Vec<f64>> = list(&golden["sampler_logprobs"]);
    let mut sequences = case.sequences();
    for (sequence, sampler) in sequences.iter_mut().zip(&samplers) {
        sequence.sampler_logp = Some(sampler);
    }
    let batch = BatchExtent::of(&sequences);
    let cases = golden["losses"].as_array().unwrap();
    assert!(cases.len() > 30);
    for expected in cases {
        let what = expected["config"].to_string();
        let config: LossConfig = list(&expected["config"]);
        let output = policy_loss(&sequences, batch, &config).unwrap();
        assert_close(output.loss, expected["loss"].as_f64().unwrap(), 1e-12, &what);
        let d_logp = list::<Vec<Vec<f64>>>(&expected["d_logp"]).concat();
        assert_eq!(d_logp.len(), output.d_logp.len());
        for (found, expected) in output.d_logp.iter().zip(d_logp) {
            assert_close(f64::from(*found), expected, 1e-8, &what);
        }
        let told = output.diagnostics;
        for (name, found) in [
            ("dual_clip_fraction", told.dual_clip_fraction),
            ("sampler_weight_mean", told.sampler_weight_mean),
            ("sampler_cut_fraction", told.sampler_cut_fraction),
        ] {
            assert_eq!(found.is_some(), expected[name].is_number(), "{name} of {what}");
            let expected = expected[name].as_f64().unwrap_or_default();
            assert_close(found.unwrap_or_default(), expected, 1e-6, &format!("{name} of {what}"));
        }
        // In two parts it is the same.
        let parts = [&sequences[..2], &sequences[2..]].map(|part| policy_loss(part, batch, &config).unwrap());
        assert_close(parts[0].loss + parts[1].loss, output.loss, 1e-12, &what);
        let mut joined = Diagnostics::default();
        parts.iter().for_each(|part| joined.merge(&part.diagnostics));
        for (found, whole) in [
            (joined.dual_clip_fraction, told.dual_clip_fraction),
            (joined.sampler_weight_mean, told.sampler_weight_mean),
            (joined.sampler_cut_fraction, told.sampler_cut_fraction),
        ] {
            assert_eq!(found.is_some(), whole.is_some(), "{what}");
            assert_close(found.unwrap_or_default(), whole.unwrap_or_default(), 1e-12, &what);
        }
    }
}

#[test]
fn a_coefficient_follows_its_target_as_verls_does() {
    let golden = &committed().1["adaptive_kl"];
    let number = |value: &Value| value.as_f64().unwrap();
    let controller = AdaptiveKl { target: number(&golden["target"]), horizon: number(&golden["horizon"]) };
    let mut coef = number(&golden["coef"]);
    for step in golden["steps"].as_array().unwrap() {
        coef = controller.next(coef, number(&step["divergence"]), list(&step["replies"]));
        assert_close(coef, number(&step["coef"]), 1e-15, &step.to_string());
    }
    let penalty = KlPenalty { target: Some(6.0), ..KlPenalty::default() };
    assert_eq!(penalty.adaptive(), Some(AdaptiveKl { target: 6.0, horizon: 10_000.0 }));
    assert_eq!(KlPenalty::default().adaptive(), None);
}

#[test]
fn a_moving_average_is_trls() {
    let golden = &committed().1["moving_average"];
    let mut reference: Vec<f32> = list(&golden["reference"]);
    let policy: Vec<f32> = list(&golden["policy"]);
    moving_average(&mut reference, &policy, golden["alpha"].as_f64().unwrap()).unwrap();
    for (found, expected) in reference.iter().zip(list::<Vec<f64>>(&golden["mixed"])) {
        assert_eq!(*found, expected as f32);
    }
    moving_average(&mut reference, &policy, 1.0).unwrap();
    assert_eq!(reference, policy);
    let message = moving_average(&mut reference, &policy[1..], 0.5).unwrap_err().to_string();
    assert!(message.contains("policy has 6 values where 7 are expected"), "{message}");
}
