//! A reply is what it would be alone, whatever it is decoded with, and on a GPU what it is on the CPU.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use burn::tensor::Device;
use toolrl_engine::Engine;
use toolrl_kernels::Heads;
use toolrl_policy::{Generation, ModelConfig, Policy};
use toolrl_rollout::{Prompt, Sampler, SamplingParams, StreamKey, Trajectory};

const VOCABULARY: usize = 70;

/// The CPU; in builds for any GPU by Vulkan the one that is there, which may be a software one, unless
/// `TOOLRL_TEST_DEVICE` is `cpu`.
fn device() -> Device {
    #[cfg(feature = "wgpu")]
    if std::env::var("TOOLRL_TEST_DEVICE").as_deref() != Ok("cpu") {
        return Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    }
    Device::flex()
}

/// A policy whose replies end after some ten tokens, so that places become free at different times.
fn policy(device: &Device) -> Policy {
    let heads = Heads { query: 4, kv: 2, dim: 16 };
    let config = ModelConfig::tiny(VOCABULARY, 64, 2, heads, 0);
    let stop_tokens = (0..7).collect();
    Policy::fresh(config, Generation { stop_tokens }, 5, device)
}

/// The replies to five prompts, one of which is longer than a part of decoding attention's work.
fn replies(policy: &Policy, slots: usize, params: SamplingParams) -> Vec<Trajectory> {
    let prompt = |(index, length): (usize, usize)| {
        let tokens = (0..length).map(|i| ((i * 37 + index * 11) % VOCABULARY) as u32).collect();
        Prompt { index: index as u64, text: String::new(), tokens }
    };
    let prompts: Vec<Prompt> = [3, 12, 1, 300, 40].into_iter().enumerate().map(prompt).collect();
    let mut engine = Engine::new(policy, None, slots);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let groups = runtime.block_on(engine.sample(&prompts, 3, &params, StreamKey { seed: 3, step: 1 }));
    groups.unwrap().into_iter().flat_map(|group| group.trajectories).collect()
}

#[track_caller]
fn assert_same(found: &[Trajectory], expected: &[Trajectory]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.tokens, expected.tokens);
        assert_eq!(found.finish, expected.finish);
        for (a, b) in found.logprobs.iter().zip(&expected.logprobs) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}

const SETTINGS: [SamplingParams; 3] = [
    SamplingParams { temperature: 1.0, top_p: 1.0, max_new_tokens: 24 },
    SamplingParams { temperature: 0.7, top_p: 0.8, max_new_tokens: 9 },
    SamplingParams { temperature: 0.0, top_p: 1.0, max_new_tokens: 5 },
];

#[test]
fn a_reply_does_not_depend_on_its_batch() {
    let policy = policy(&device());
    for params in SETTINGS {
        let alone = replies(&policy, 1, params);
        let lengths: Vec<usize> = alone.iter().map(|reply| reply.tokens.len()).collect();
        assert!(params.temperature == 0.0 || lengths.iter().max() > lengths.iter().min(), "{lengths:?}");
        for slots in [2, 7, 100] {
            assert_same(&replies(&policy, slots, params), &alone);
        }
    }
}

#[test]
fn a_device_samples_what_the_cpu_does() {
    let (here, there) = (policy(&Device::flex()), policy(&device()));
    for params in SETTINGS {
        assert_same(&replies(&there, 7, params), &replies(&here, 7, params));
    }
}
