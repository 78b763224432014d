//! Rollouts on servers of vLLM and SGLang: weights go out by version, replies come in as token ids.
//!
//! Invariant: no reply is taken of a server that was not found, by log-probabilities, to hold the version that the reply is
//! said to be of; a reply has a log-probability for every token, or is an error that names the server.

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
