//! A reply is what it would be alone, whatever it is decoded with, and on a GPU what it is on the CPU.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use burn::tensor::Device;
use serde_json::json;
use toolrl_engine::Engine;
use toolrl_policy::{Generation, LoraConfig, ModelConfig, Policy};
use toolrl_rollout::{Request, Sampled, Sampler, SamplingParams, StreamKey};
use toolrl_testing::device;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const VOCABULARY: usize = 70;

/// Policies whose replies end after some ten tokens, so that places become free at different times: without biases, with,
/// with norms of queries and keys, with a layer that does not rotate, with multipliers, with a layer that sees a window, and
/// with adapters.
fn policies(device: &Device) -> Vec<Policy> {
    let of = |architecture: &str, model_type: &str| {
        let config = ModelConfig::from_value(json!({
            "architectures": [architecture],
            "model_type": model_type,
            "hidden_act": "silu",
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "num_hidden_layers": 2,
            "no_rope_layer_interval": 2,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.125,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
            "sliding_window": 9,
            "sliding_window_pattern": 2,
            "head_dim": 16,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": true,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 512,
        }));
        let stop_tokens = (0..7).collect();
        let mut policy = Policy::fresh(config.unwrap(), Generation::stopping_at(stop_tokens), 5, device);
        let biases: Vec<bool> = policy.parameters().iter().map(|p| p.name.ends_with("bias")).collect();
        policy.update(|i, values| {
            if biases[i] {
                values.iter_mut().enumerate().for_each(|(j, v)| *v = (j * 7 % 11) as f32 * 0.1 - 0.5);
            }
        });
        policy
    };
    let adapted = || {
        let lora = LoraConfig { rank: 4, ..LoraConfig::default() };
        let mut policy = of("Qwen2ForCausalLM", "qwen2").with_lora(&lora, 3).unwrap();
        policy.update(|_, values| {
            values.iter_mut().enumerate().for_each(|(j, v)| *v += (j * 5 % 13) as f32 * 0.02 - 0.12);
        });
        policy
    };
    vec![
        of("LlamaForCausalLM", "llama"),
        of("Qwen2ForCausalLM", "qwen2"),
        of("Qwen3ForCausalLM", "qwen3"),
        of("SmolLM3ForCausalLM", "smollm3"),
        of("GraniteForCausalLM", "granite"),
        of("Gemma3ForCausalLM", "gemma3_text"),
        adapted(),
    ]
}

/// Fails on a warning: steps that are not recorded are right all the same.
struct NoWarnings;

impl Subscriber for NoWarnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        panic!("{event:?}");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The replies to five prompts, one of which is longer than a part of decoding attention's work.
fn replies(policy: &Policy, slots: usize, params: &SamplingParams) -> Vec<Sampled> {
    let tokens = |(index, length): (usize, usize)| -> Vec<u32> {
        (0..length).map(|i| ((i * 37 + index * 11) % VOCABULARY) as u32).collect()
    };
    let prompts: Vec<Vec<u32>> = [3, 12, 1, 300, 40].into_iter().enumerate().map(tokens).collect();
    let request = |(index, tokens)| Request { index, tokens, members: 0..3, drawn: 0 };
    let requests: Vec<_> = (0..).zip(prompts.iter().map(Vec::as_slice)).map(request).collect();
    sample(policy, slots, &requests, params).concat()
}

fn sample(
    policy: &Policy,
    slots: usize,
    requests: &[Request<'_>],
    params: &SamplingParams,
) -> Vec<Vec<Sampled>> {
    let mut engine = Engine::new(policy, slots);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.sample(requests, params, StreamKey { seed: 3, step: 1 })).unwrap()
}

#[track_caller]
fn assert_same(found: &[Sampled], expected: &[Sampled]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.tokens, expected.tokens);
        assert_eq!(found.finish, expected.finish);
        for (a, b) in found.logprobs.iter().zip(&expected.logprobs) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}

fn settings() -> [SamplingParams; 4] {
    let tempered = SamplingParams { temperature: 0.7, top_p: 0.8, ..SamplingParams::default() };
    [
        SamplingParams { max_new_tokens: 24, ..SamplingParams::default() },
        SamplingParams { max_new_tokens: 9, ..tempered.clone() },
        SamplingParams { max_new_tokens: 12, top_k: 9, min_p: 0.05, ..tempered },
        SamplingParams::greedy(5),
    ]
}

#[test]
fn a_reply_does_not_depend_on_its_batch() {
    let _no_warnings = tracing::subscriber::set_default(NoWarnings);
    let policy = &policies(&device())[0];
    for params in &settings() {
        let alone = replies(policy, 1, params);
        let lengths: Vec<usize> = alone.iter().map(|reply| reply.tokens.len()).collect();
        assert!(params.temperature == 0.0 || lengths.iter().max() > lengths.iter().min(), "{lengths:?}");
        for slots in [2, 7, 100] {
            assert_same(&replies(policy, slots, params), &alone);
        }
    }
}

/// In builds for a GPU; elsewhere it compares batches of the CPU.
#[test]
fn a_device_samples_what_the_cpu_does() {
    let _no_warnings = tracing::subscriber::set_default(NoWarnings);
    for (here, there) in policies(&Device::flex()).iter().zip(&policies(&device())) {
        for params in &settings() {
            assert_same(&replies(there, 7, params), &replies(here, 3, params));
        }
    }
}

/// Where a turn is cut in two, the second half goes on with the first's random numbers.
#[test]
fn an_episode_goes_on_where_it_was_left() {
    let policy = &policies(&Device::flex())[0];
    let params = SamplingParams { max_new_tokens: 12, ..SamplingParams::default() };
    let prompt = [5, 9, 40];
    let whole = |members| Request { index: 7, tokens: &prompt, members, drawn: 0 };
    let all = sample(policy, 4, &[whole(0..4)], &params).concat();
    assert_same(&sample(policy, 4, &[whole(2..4)], &params).concat(), &all[2..]);
    let longest = all.iter().max_by_key(|turn| turn.tokens.len()).unwrap();
    let (turn, cut) = (all.iter().position(|turn| turn == longest).unwrap(), longest.tokens.len() / 2);
    assert!(cut > 1, "{} tokens", longest.tokens.len());
    let context: Vec<u32> = prompt.iter().chain(&longest.tokens[..cut]).copied().collect();
    let rest = Request { index: 7, tokens: &context, members: turn..turn + 1, drawn: cut };
    let max_new_tokens = longest.tokens.len() - cut;
    let rest = sample(policy, 4, &[rest], &SamplingParams { max_new_tokens, ..params }).concat();
    assert_eq!(rest[0].tokens, longest.tokens[cut..]);
}
