//! A turn ends at its stop string, wherever tokens end.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use burn::tensor::Device;
use serde_json::json;
use toolrl_chat::{Chat, train_bpe};
use toolrl_engine::Engine;
use toolrl_policy::{Generation, ModelConfig, Policy};
use toolrl_rollout::{FinishReason, Prompt, Reply, Request, Sampled, Sampler, SamplingParams, StreamKey};

/// A tokenizer of bytes and a few words, most of its tokens a part of no character or a whole word.
fn chat(dir: &std::path::Path) -> Chat {
    train_bpe(["the the then € é".to_owned()].into_iter(), 300, &[]).unwrap().save(dir).unwrap();
    Chat::load(dir).unwrap()
}

/// A policy that has learned nothing. Some rows of its head are no token's, and one token ends a turn.
fn policy(chat: &Chat) -> Policy {
    let config = ModelConfig::from_value(json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "num_hidden_layers": 1,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": true,
        "vocab_size": chat.vocab_size() + 9,
        "max_position_embeddings": 256,
    }));
    let generation = Generation::stopping_at(vec![chat.eos_token_id().unwrap()]);
    Policy::fresh(config.unwrap(), generation, 5, &Device::flex())
}

fn sample(policy: &Policy, chat: &Chat, slots: usize, params: &SamplingParams) -> Vec<Sampled> {
    let prompts = [[5, 9, 40].as_slice(), &[7; 30]];
    let request = |(index, tokens)| Request { index, tokens, members: 0..3, drawn: 0 };
    let requests: Vec<_> = (0..).zip(prompts).map(request).collect();
    let mut engine = Engine::new(policy, slots).with_chat(chat);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.sample(&requests, params, StreamKey { seed: 3, step: 1 })).unwrap().concat()
}

/// A turn's text: the token that ends it is none.
fn text(turn: &Sampled, n: usize, chat: &Chat) -> String {
    let is_text = |&&id: &&u32| Some(id) != chat.eos_token_id();
    let tokens: Vec<u32> = turn.tokens[..n].iter().filter(is_text).copied().collect();
    chat.decode(&tokens, false).unwrap()
}

/// The tokens up to that at which the text of all of them has one of the strings: the definition, in quadratic time.
fn ended(turn: &Sampled, chat: &Chat, stop: &[String]) -> usize {
    let has_one = |&n: &usize| {
        let text = text(turn, n, chat);
        stop.iter().any(|stop| text.contains(stop))
    };
    (1..=turn.tokens.len()).find(has_one).unwrap_or(turn.tokens.len())
}

#[test]
fn a_turn_ends_where_its_text_has_the_string() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path());
    let policy = policy(&chat);
    let params = SamplingParams { max_new_tokens: 40, ..SamplingParams::default() };
    let whole = sample(&policy, &chat, 6, &params);
    let text = |turn: &Sampled| text(turn, turn.tokens.len(), &chat);
    let mut stopped = 0;
    for (at, length) in [(3, 1), (8, 2), (11, 3), (20, 5), (25, 9)] {
        // Of the first reply's own text, so that it is found there, across tokens; and what is found by chance.
        let characters: String = text(&whole[0]).chars().skip(at).take(length).collect();
        let stop = vec![characters, "e".to_owned(), "absent".to_owned()];
        let params = SamplingParams { stop: stop.clone(), ..params.clone() };
        let found = sample(&policy, &chat, 6, &params);
        for slots in [1, 2] {
            assert_eq!(sample(&policy, &chat, slots, &params), found, "it depends on its batch");
        }
        for (turn, whole) in found.iter().zip(&whole) {
            let n = ended(whole, &chat, &stop);
            assert_eq!(turn.tokens, whole.tokens[..n], "{stop:?}");
            assert_eq!(
                turn.logprobs,
                whole.logprobs[..n],
                "draws are those of the turn without stop strings"
            );
            let is_found = stop.iter().any(|stop| text(turn).contains(stop));
            assert_eq!(turn.finish == FinishReason::StopString, is_found, "{stop:?}");
            stopped += usize::from(is_found);
            let reply = Reply::of_turn(&chat, &Prompt::default(), turn, &params).unwrap();
            assert!(!stop.iter().any(|stop| reply.text.contains(stop)), "{stop:?} in {:?}", reply.text);
        }
    }
    assert!(stopped > 10, "{stopped} of 30");
}

#[test]
fn without_a_tokenizer_stop_strings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy(&chat(dir.path()));
    let params = SamplingParams { stop: vec!["a".into()], ..SamplingParams::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut engine = Engine::new(&policy, 1);
    let error = runtime.block_on(engine.sample(&[], &params, StreamKey { seed: 0, step: 0 })).unwrap_err();
    assert!(error.to_string().contains("no tokenizer"), "{error}");
}
