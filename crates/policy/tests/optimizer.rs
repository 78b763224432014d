//! AdamW on tensors against the published algorithm on numbers in f64, in both precisions.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::io;

use burn::tensor::{Device, Tensor, TensorData};
use toolrl_policy::{
    AdamWStep, Critic, DeviceMoments, Generation, Heads, LoraConfig, ModelConfig, Policy, Precision,
};
use toolrl_testing::device;

fn policy_on(precision: Precision, device: &Device) -> Policy {
    let config = ModelConfig::tiny(31, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    let policy = Policy::fresh(config, Generation::stopping_at(vec![0]), 3, &Device::flex());
    let dir = tempfile::tempdir().unwrap();
    policy.save(dir.path(), |_| Ok::<_, io::Error>(())).unwrap();
    Policy::load(dir.path(), precision, device).unwrap()
}

/// bf16 on the CPU: software GPUs have none.
fn policy(precision: Precision) -> Policy {
    policy_on(precision, &if precision == Precision::F32 { device() } else { Device::flex() })
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f64 = 1e-8;
const DECAY: f64 = 0.1;
const LR: f64 = 1e-3;
const SCALE: f64 = 0.5;

fn step(t: u32, lr: f64) -> AdamWStep {
    AdamWStep { t, lr, beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weight_decay: DECAY }
}

/// Some gradient of a parameter.
fn gradient(i: usize, t: u32, len: usize) -> Vec<f32> {
    (0..len).map(|j| ((i * 7 + j * 3 + t as usize * 13) % 23) as f32 * 0.1 - 1.0).collect()
}

/// Three steps by tensors; beside the values before them, what the algorithm gives.
fn check(mut policy: Policy) {
    let device = policy.decoder().head().device();
    let start = policy.trained_values();
    let mut expected: Vec<Vec<[f64; 3]>> =
        start.iter().map(|values| values.iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect()).collect();
    let mut moments: Option<DeviceMoments> = None;
    for t in 1..=3u32 {
        let gradients: Vec<Vec<f32>> =
            start.iter().enumerate().map(|(i, values)| gradient(i, t, values.len())).collect();
        for (state, gradient) in expected.iter_mut().zip(&gradients) {
            for ([p, m, v], &g) in state.iter_mut().zip(gradient) {
                let g = f64::from(g) * SCALE;
                *m = BETA1 * *m + (1.0 - BETA1) * g;
                *v = BETA2 * *v + (1.0 - BETA2) * g * g;
                let (m_hat, v_hat) = (*m / (1.0 - BETA1.powi(t as i32)), *v / (1.0 - BETA2.powi(t as i32)));
                *p -= LR * DECAY * *p + LR * m_hat / (v_hat.sqrt() + EPSILON);
            }
        }
        let tensors: Vec<Tensor<1>> = gradients
            .into_iter()
            .map(|g| Tensor::from_data(TensorData::new(g.clone(), [g.len()]), &device))
            .collect();
        // Once through numbers, as a checkpoint does.
        let kept = moments.map(|moments| moments.values()).unwrap_or_default();
        let mut of_step = DeviceMoments::new(&kept, &tensors);
        policy.adamw(tensors, &mut of_step, &step(t, LR), SCALE as f32);
        moments = Some(of_step);
    }
    let found = policy.trained_values();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        for (found, [p, ..]) in found.iter().zip(expected) {
            assert!((f64::from(*found) - p).abs() < 1e-6, "{found} for {p}");
        }
    }
    let squares: Vec<f64> = expected.iter().flatten().map(|[_, _, v]| *v).collect();
    let found: Vec<f32> = moments.unwrap().values().into_iter().flat_map(|(_, squares)| squares).collect();
    assert!(found.iter().zip(&squares).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6));
}

#[test]
fn steps_follow_the_published_algorithm() {
    check(policy(Precision::F32));
    check(policy(Precision::Bf16));
    check(policy(Precision::Bf16).with_lora(&LoraConfig { rank: 2, ..LoraConfig::default() }, 5).unwrap());
}

#[test]
fn weights_in_bf16_are_roundings_of_the_exact_values() {
    let mut policy = policy(Precision::Bf16);
    let lengths: Vec<usize> = policy.trained_values().iter().map(Vec::len).collect();
    let tensors = |t: u32| -> Vec<Tensor<1>> {
        let of = |(i, &len): (usize, &usize)| {
            Tensor::from_data(TensorData::new(gradient(i, t, len), [len]), &Device::flex())
        };
        lengths.iter().enumerate().map(of).collect()
    };
    let mut moments = DeviceMoments::new(&[], &tensors(1));
    let before = policy.trained_values();
    for t in 1..=2 {
        policy.adamw(tensors(t), &mut moments, &step(t, 1e-5), 1.0);
    }
    let exact = policy.trained_values();
    assert_ne!(exact, before, "steps below bf16's resolution are kept");
    for (parameter, exact) in policy.parameters().iter().zip(&exact) {
        let rounded: Vec<f32> = exact.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect();
        assert_eq!(parameter.values, rounded, "{}", parameter.name);
    }
    // The host takes over where the device was.
    policy.update(|i, values| assert_eq!(values, exact[i]));
    assert_eq!(policy.trained_values(), exact);
}

/// Weights are changed in place, but not those that someone else looks at.
#[test]
fn copies_stay_as_they_are() {
    let mut policy = policy(Precision::F32);
    let (reference, critic) = (policy.clone(), Critic::of(&policy));
    let before = policy.trained_values();
    let device = policy.decoder().head().device();
    let gradients = |t: u32| -> Vec<Tensor<1>> {
        let of = |(i, values): (usize, &Vec<f32>)| {
            let gradient = gradient(i, t, values.len());
            Tensor::from_data(TensorData::new(gradient, [values.len()]), &device)
        };
        before.iter().enumerate().map(of).collect()
    };
    let mut moments = DeviceMoments::new(&[], &gradients(1));
    for t in 1..=2 {
        policy.adamw(gradients(t), &mut moments, &step(t, LR), 1.0);
    }
    assert_ne!(policy.trained_values(), before);
    assert_eq!(reference.trained_values(), before);
    // The critic has a head more, and its weights are the policy's.
    assert!(critic.trained_values().iter().zip(&before).all(|(a, b)| a == b));
    let (after, again) = (policy.trained_values(), policy.clone());
    policy.set_trained_values(&before).unwrap();
    assert_eq!((policy.trained_values(), again.trained_values()), (before, after));
}
