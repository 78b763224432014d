//! What follows the policy, by which rule, and that a checkpoint brings it back.

use toolrl_policy::{LoraConfig, Precision};
use toolrl_testing::device;

use super::*;
use crate::test_fixtures::policy;
use crate::{Method, Recipe};

/// The settings of GRPO with these in `[train]`.
fn config(own: &[&str]) -> RlConfig {
    let text = format!("name = \"a\"\n[train]\nmethod = \"grpo\"\n{}", own.join("\n"));
    match Recipe::parse(&text, &[]).unwrap().train {
        Method::Grpo(grpo) => grpo.rl,
        other => panic!("{other:?}"),
    }
}

/// A policy in training after some updates: each moves every value a little.
fn moved(start: &Policy, updates: usize) -> Policy {
    let mut policy = start.clone();
    for update in 0..updates {
        policy.update(|i, values| values.iter_mut().for_each(|v| *v += 1e-3 * (1 + i + update) as f32));
    }
    policy
}

/// The same weights in bf16.
fn narrow(policy: &Policy) -> Policy {
    let dir = tempfile::tempdir().unwrap();
    policy.save(dir.path(), |_| Ok::<_, std::io::Error>(())).unwrap();
    Policy::load(dir.path(), Precision::Bf16, &device()).unwrap()
}

fn reference(divergence: &Divergence) -> Vec<Vec<f32>> {
    divergence.reference.as_ref().unwrap().trained_values()
}

/// What the reference computes with.
fn weights(divergence: &Divergence) -> Vec<Vec<f32>> {
    let parameters = divergence.reference.as_ref().unwrap().parameters();
    parameters.into_iter().map(|parameter| parameter.values).collect()
}

/// Every kind of policy with every kind of reference, step by step, and once by way of a checkpoint after each step.
#[test]
fn a_reference_follows_the_policy_and_goes_on_exactly() {
    let lora = policy(3).with_lora(&LoraConfig::default(), 1).unwrap();
    let starts = [("f32", policy(3)), ("adapters", lora), ("bf16", narrow(&policy(3)))];
    for (name, start) in &starts {
        for (setting, alpha) in [("{ every = 2 }", 1.0), ("{ every = 2, moving_average = 0.25 }", 0.25)] {
            let config = config(&["kl_penalty = {}", &format!("reference = {setting}")]);
            let begun = || Divergence::of(&config, policy(9), start.clone());
            let mut divergence = begun();
            let mut expected = start.trained_values();
            for step in 1..=5 {
                let policy = moved(start, step);
                divergence.end_step(step as u64, (&config, &policy), (&GrpoMetrics::default(), 8));
                if step.is_multiple_of(2) {
                    for (own, values) in expected.iter_mut().zip(policy.trained_values()) {
                        moving_average(own, &values, alpha).unwrap();
                    }
                }
                let found = reference(&divergence);
                if *name == "bf16" && alpha == 1.0 {
                    // The policy as it computes: its weights, not what they are roundings of.
                    let close =
                        found.concat().iter().zip(expected.concat()).all(|(a, b)| (a - b).abs() < 0.01);
                    assert!(close, "{name} {setting} {step}");
                } else {
                    assert!(found == expected, "{name} {setting} {step}");
                }
                let dir = tempfile::tempdir().unwrap();
                divergence.save(dir.path()).unwrap();
                let mut again = begun();
                again.restore(dir.path()).unwrap();
                assert!(reference(&again) == found, "{name} {setting} {step}");
                assert!(weights(&again) == weights(&divergence), "{name} {setting} {step}");
                divergence = again;
            }
        }
    }
}

#[test]
fn the_start_is_left_as_it_is_and_nothing_is_kept_that_is_not_asked_for() {
    let start = policy(3);
    let mut divergence = Divergence::of(&config(&["kl_penalty = {}"]), start.clone(), policy(4));
    divergence.end_step(1, (&config(&[]), &moved(&start, 3)), (&GrpoMetrics::default(), 8));
    assert!(reference(&divergence) == start.trained_values());
    let dir = tempfile::tempdir().unwrap();
    divergence.save(dir.path()).unwrap();
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    assert!(Divergence::of(&config(&[]), start.clone(), start).reference.is_none());
}

#[test]
fn coefficients_follow_what_was_measured_and_go_on_exactly() {
    let config = config(&[
        "kl_penalty = { coef = 0.1, target = 2.0, horizon = 100 }",
        "loss = { kl = { coef = 0.3, target = 4.0, horizon = 64 } }",
    ]);
    let begun = || Divergence::of(&config, policy(3), policy(3));
    let mut divergence = begun();
    let coefs = |divergence: &Divergence| {
        let present = divergence.present(&config);
        (present.kl_penalty.unwrap().coef, present.loss.kl.unwrap().coef)
    };
    assert_eq!(coefs(&divergence), (0.1, 0.3));
    let (mut penalty, mut loss) = (0.1, 0.3);
    for (step, (of_penalty, of_loss)) in (1..).zip([(2.2, 0.0), (9.0, 4.0), (-1.0, 4.4)]) {
        let rows = [(PENALTY, penalty, of_penalty), (LOSS, loss, of_loss)]
            .map(|(name, coef, divergence)| (name.to_owned(), AdaptiveKlMetrics { coef, divergence }));
        let measured = GrpoMetrics { adaptive_kl: rows.into(), ..GrpoMetrics::default() };
        divergence.end_step(step, (&config, &policy(3)), (&measured, 16));
        penalty *= 1.0 + f64::clamp(of_penalty / 2.0 - 1.0, -0.2, 0.2) * 16.0 / 100.0;
        loss *= 1.0 + f64::clamp(of_loss / 4.0 - 1.0, -0.2, 0.2) * 16.0 / 64.0;
        let found = coefs(&divergence);
        assert!((found.0 - penalty).abs() < 1e-12 && (found.1 - loss).abs() < 1e-12, "{step}: {found:?}");
        let dir = tempfile::tempdir().unwrap();
        divergence.save(dir.path()).unwrap();
        let mut again = begun();
        again.restore(dir.path()).unwrap();
        let (a, b) = (coefs(&again), coefs(&divergence));
        assert_eq!((a.0.to_bits(), a.1.to_bits()), (b.0.to_bits(), b.1.to_bits()));
    }
}

#[test]
fn a_horizon_that_could_turn_a_coefficient_is_refused() {
    let with = |own: &str, method: &str| {
        let text =
            format!("name = \"a\"\n[train]\nmethod = \"{method}\"\nprompts = 10\ngroup_size = 5\n{own}");
        Recipe::parse(&text, &[]).map_err(|e| e.to_string())
    };
    for method in ["grpo", "ppo"] {
        assert!(with("kl_penalty = { target = 1, horizon = 11 }", method).is_ok());
        let message = with("kl_penalty = { target = 1, horizon = 10 }", method).unwrap_err();
        assert!(message.contains("train.kl_penalty.horizon = 10 should be above 10"), "{message}");
        let message = with("loss = { kl = { target = 1, horizon = 3 } }", method).unwrap_err();
        assert!(message.contains("train.loss.kl.horizon = 3 should be above 10"), "{message}");
        let message = with("kl_penalty = { target = 0 }", method).unwrap_err();
        assert!(message.contains("train.kl_penalty.target = 0: expected"), "{message}");
        let message = with("passes = 0", method).unwrap_err();
        assert!(message.contains("train.passes should be at least 1"), "{message}");
    }
    let rounds = "groups = { resample = { max_rounds = 2 } }\nkl_penalty = { target = 1, horizon = 20 }";
    assert!(with(rounds, "grpo").unwrap_err().contains("above 20"));
}
