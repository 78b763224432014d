//! Sampling on stand-ins of vLLM and SGLang, which are well, broken, gone or hold other weights.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod faults;
mod model;
mod sampling;
mod sglang;
mod stand_in;
mod vllm;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use model::Model;
use pollster::block_on;
use stand_in::StandIn;
use tempfile::TempDir;
use toolrl_chat::{Chat, train_bpe};
use toolrl_rollout::{Request, RolloutError, Sampled, Sampler, SamplingParams, StreamKey};
use toolrl_servers::{Kind, Probe, PublishReport, Servers, ServersConfig, ServersError, Sync};

/// Both kinds of server, and both ways of weights.
const WAYS: [(Kind, Sync); 4] = [
    (Kind::Vllm, Sync::Lora),
    (Kind::Vllm, Sync::Disk),
    (Kind::Sglang, Sync::Lora),
    (Kind::Sglang, Sync::Disk),
];

const KEY: StreamKey = StreamKey { seed: 7, step: 3 };

/// The trainer's side: a tokenizer, and folders of weights.
struct Trainer {
    dir: TempDir,
    chat: Chat,
    sync: Sync,
}

impl Trainer {
    fn new(sync: Sync) -> Self {
        static CHAT: OnceLock<Chat> = OnceLock::new();
        let dir = tempfile::tempdir().unwrap();
        let chat = CHAT.get_or_init(|| {
            let corpus = ["some words and others, and some words more".to_owned()];
            train_bpe(corpus.into_iter(), model::VOCABULARY, &[]).unwrap().save(dir.path()).unwrap();
            Chat::load(dir.path()).unwrap().with_embeddings(model::VOCABULARY).unwrap()
        });
        Self { dir, chat: chat.clone(), sync }
    }

    /// The folder of a model, and a probe by it.
    fn saved(&self, version: u64, model: Model) -> (PathBuf, Probe) {
        let dir = self.dir.path().join(format!("v{version}"));
        let name = if self.sync == Sync::Lora { "adapter_model.safetensors" } else { "model.safetensors" };
        model.save(&dir, name);
        (dir, probe(model))
    }

    fn publish(&self, servers: &Servers, version: u64, model: Model) -> Result<PublishReport, ServersError> {
        let (dir, probe) = self.saved(version, model);
        servers.publish(version, &dir, &probe)
    }

    /// Turns of four members of each of so many prompts.
    fn sample(
        &self,
        servers: &Servers,
        version: u64,
        prompts: u64,
        params: &SamplingParams,
    ) -> Result<Vec<Vec<Sampled>>, RolloutError> {
        let prompts = contexts(prompts);
        let requests: Vec<_> = prompts.iter().map(|(index, tokens)| request(*index, tokens)).collect();
        block_on(servers.sampler(&self.chat, version).sample(&requests, params, KEY))
    }
}

fn request(index: u64, tokens: &[u32]) -> Request<'_> {
    Request { index, tokens, members: 0..4, drawn: 0 }
}

fn contexts(prompts: u64) -> Vec<(u64, Vec<u32>)> {
    (0..prompts).map(|index| (index, vec![1, 9, 30 + index as u32])).collect()
}

fn probe(model: Model) -> Probe {
    let tokens = vec![1, 20, 33, 7, 120, 2, 90];
    let logprobs = model.score(&tokens).into_iter().map(|logprob| logprob as f32).collect();
    Probe { tokens, logprobs }
}

/// Settings that try again in moments, and give up as late as a busy machine needs.
fn config((kind, sync): (Kind, Sync), servers: &[&StandIn]) -> ServersConfig {
    let urls = servers.iter().map(|server| server.url.clone()).collect();
    ServersConfig {
        rest: 0.02,
        timeout: 30.0,
        patience: 30.0,
        attempts: 3,
        concurrency: 8,
        ..ServersConfig::new(kind, urls, "base", sync)
    }
}

fn params(max_new_tokens: usize) -> SamplingParams {
    SamplingParams { max_new_tokens, ..SamplingParams::default() }
}

/// Whether all turns are there, and have the log-probabilities of this model.
fn assert_of(turns: &[Vec<Sampled>], prompts: u64, model: Model, temperature: f64) {
    assert_eq!(turns.iter().map(Vec::len).collect::<Vec<_>>(), vec![4; prompts as usize]);
    for (group, (_, context)) in turns.iter().zip(contexts(prompts)) {
        for turn in group {
            let all = [&context[2..], &turn.tokens].concat();
            assert_eq!(turn.tokens.len(), turn.logprobs.len());
            for (pair, logprob) in all.windows(2).zip(&turn.logprobs) {
                let expected = model.logprobs(pair[0], temperature)[pair[1] as usize];
                assert!((f64::from(*logprob) - expected).abs() < 1e-5, "{logprob} {expected}");
            }
        }
    }
}

#[test]
fn threads_share_servers_and_hand_samplers_on() {
    const fn shared<T: Send + std::marker::Sync>() {}
    shared::<Servers>();
    shared::<toolrl_servers::ServedSampler<'static>>();
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
