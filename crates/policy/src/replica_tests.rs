//! Copies of policies, and sums of gradients over devices for which the CPU stands several times.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::convert::Infallible;

use toolrl_kernels::{Heads, Packing};
use toolrl_testing::device;

use super::*;
use crate::{
    Activations, Critic, Derivatives, Generation, LoraConfig, ModelConfig, Pass, PassSettings, Precision,
};

fn policy() -> Policy {
    let config = ModelConfig::tiny(31, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 3, &device())
}

/// A sequence that begins with this token.
fn pass(first: u32) -> Pass {
    let mut packing = Packing::new();
    packing.push(5, None);
    Pass {
        tokens: vec![first, 4, 5, 6, 7].into(),
        packing: packing.into(),
        rows: vec![1, 2, 3, 4].into(),
        targets: vec![5, 6, 7, 8].into(),
    }
}

fn gradients(policy: &Policy, first: u32) -> ParameterGradients {
    let settings = PassSettings { inverse_temperature: 1.0, activations: Activations::Keep, seed: 0 };
    let up = |logp: &[f32], _: &[f32]| {
        Ok::<_, Infallible>(Derivatives { by_logp: vec![-1.0; logp.len()], by_entropy: Vec::new() })
    };
    let Ok(gradients) = policy.gradients(&pass(first), &settings, up);
    gradients
}

#[test]
fn every_device_has_the_sum_in_the_order_of_the_devices() {
    let policy = policy();
    let of = |first| gradients(&policy, first).into_values();
    let (a, b, c) = (of(1), of(2), of(3));
    let expected: Vec<Vec<f32>> =
        (0..a.len()).map(|p| (0..a[p].len()).map(|i| a[p][i] + b[p][i] + c[p][i]).collect()).collect();
    let sums = ParameterGradients::all_reduce([1, 2, 3].map(|first| gradients(&policy, first)).into());
    assert_eq!(sums.len(), 3);
    for sum in sums {
        assert!(sum.into_values() == expected);
    }
    let alone = ParameterGradients::all_reduce(vec![gradients(&policy, 1)]);
    assert!(alone.into_iter().next().unwrap().into_values() == a);
    assert!(ParameterGradients::all_reduce(Vec::new()).is_empty());
}

#[test]
fn a_device_without_a_pass_adds_nothing() {
    for policy in [policy(), policy().with_lora(&LoraConfig::default(), 1).unwrap()] {
        let zeros = policy.zero_gradients();
        assert!(!zeros.is_empty());
        let sums =
            ParameterGradients::all_reduce(vec![gradients(&policy, 1), zeros, policy.zero_gradients()]);
        for sum in sums {
            assert!(sum.into_values() == gradients(&policy, 1).into_values());
        }
    }
}

#[test]
fn a_copy_is_the_same_and_changes_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    policy().save(dir.path(), |_| Ok::<_, std::io::Error>(())).unwrap();
    let mut narrow = Policy::load(dir.path(), Precision::Bf16, &device()).unwrap();
    // Less than a weight in bf16 shows.
    narrow.update(|_, values| values.iter_mut().for_each(|value| *value += 1e-5));
    let mut adapted = policy().with_lora(&LoraConfig::default(), 1).unwrap();
    adapted.update(|_, values| values.iter_mut().for_each(|value| *value += 0.01));
    for original in [policy(), narrow, adapted] {
        let mut copy = original.on_device(&device());
        assert!(copy.trained_values() == original.trained_values());
        assert!(copy.parameters() == original.parameters());
        assert_eq!(copy.precision(), original.precision());
        assert_eq!(copy.lora().is_some(), original.lora().is_some());
        assert!(gradients(&copy, 1).into_values() == gradients(&original, 1).into_values());
        let before = original.trained_values();
        copy.update(|_, values| values.iter_mut().for_each(|value| *value += 1.0));
        assert!(original.trained_values() == before && copy.trained_values() != before);
    }
}

#[test]
fn a_critic_has_copies_too() {
    let critic = Critic::of(&policy());
    let copy = critic.on_device(&device());
    assert!(copy.parameters() == critic.parameters() && copy.values(&pass(1)) == critic.values(&pass(1)));
    let zeros = critic.zero_gradients().into_values();
    assert!(zeros.iter().map(Vec::len).eq(critic.trained_values().iter().map(Vec::len)));
}
