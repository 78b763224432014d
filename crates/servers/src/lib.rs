//! Rollouts on servers of vLLM and SGLang: weights go out by version, replies come in as token ids.
//!
//! Invariant: no reply is taken of a server that was not found, by log-probabilities, to hold the version that the reply is
//! said to be of; a reply has a log-probability for every token, or is an error that names the server.
//!
//! [`Servers::publish`] has every server take the weights of a folder: an adapter under a new name, or a whole model in the
//! place of the last. A server may say that it did and go on with what it had, so it is then asked for the
//! log-probabilities of a [`Probe`], which the trainer has computed too. [`Servers::sampler`] samples from a version that
//! was published: [`ServedSampler`] is a [`toolrl_rollout::Sampler`] like the local engine, and its turns end where that
//! one's do. A server that fails is left out, and takes the weights anew and is probed before it is asked again; meanwhile
//! others do its work.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (tokens, logprobs, dir) = (vec![1, 2], vec![-0.5], std::path::Path::new("adapter"));
//! # let chat = toolrl_chat::Chat::load(std::path::Path::new("model"))?;
//! use toolrl_rollout::{Request, Sampler, SamplingParams, StreamKey};
//! use toolrl_servers::{Kind, Probe, Servers, ServersConfig, Sync};
//!
//! let urls = vec!["http://gpu1:8000".into(), "http://gpu2:8000".into()];
//! let servers = Servers::new(ServersConfig::new(Kind::Vllm, urls, "Qwen/Qwen3-4B", Sync::Lora))?;
//! let report = servers.publish(7, dir, &Probe { tokens, logprobs })?;
//! for server in report.servers {
//!     println!("{} is {:.1e} nats a token off the trainer", server.url, server.gap);
//! }
//! let mut sampler = servers.sampler(&chat, 7);
//! let prompt = chat.encode("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")?;
//! let request = Request { index: 0, tokens: &prompt, members: 0..8, drawn: 0 };
//! let params = SamplingParams::default();
//! let turns = pollster::block_on(sampler.sample(&[request], &params, StreamKey { seed: 1, step: 7 }))?;
//! # Ok(())
//! # }
//! ```
//!
//! # How servers are started
//!
//! | | vLLM | SGLang |
//! |---|---|---|
//! | adapters | `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve MODEL --enable-lora --max-loras KEPT --max-lora-rank RANK` | `--enable-lora --max-lora-rank RANK --lora-target-modules all` |
//! | whole models | `VLLM_SERVER_DEV_MODE=1 vllm serve MODEL` | as it is |
//! | temperature other than 1 | `--logprobs-mode processed_logprobs` | as it is |
//! | top-k, top-p, min-p | at temperature 1, with the default `--logprobs-mode` | as it is |
//! | the same draws again | as it is, in the same batches | `--enable-deterministic-inference` |
//!
//! KEPT is at least [`ServersConfig::keep`], and one more while a version is exchanged. vLLM on CPUs needs
//! `--no-enable-chunked-prefill`, where a seed ends the engine otherwise, and keeps a tied output head in f32 as it was when
//! whole models are exchanged: the probe finds that.

mod config;
mod counts;
mod error;
mod pool;
mod probe;
mod sampler;
mod servers;
mod turn;
mod wire;

pub use config::{Kind, ServersConfig, Sync};
pub use counts::Counts;
pub use error::{ReplyProblem, ServersError};
pub use probe::{Probe, PublishReport, ServerReport};
pub use sampler::ServedSampler;
pub use servers::Servers;
