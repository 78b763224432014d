//! How it is found out which weights a server holds.

use crate::ServersError;

/// A text, and what the trainer's weights say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// At least two token ids.
    pub tokens: Vec<u32>,
    /// The trainer's log-probability in nats of each token but the first, at temperature 1.
    pub logprobs: Vec<f32>,
}

/// What came of a publication.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublishReport {
    /// The servers that hold the version now.
    pub servers: Vec<ServerReport>,
    /// Servers that did not take it, and are left out until they do.
    pub left_out: Vec<String>,
    /// Seconds until the last of them was probed.
    pub seconds: f64,
}

/// A server that took a version.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerReport {
    /// Its address.
    pub url: String,
    /// Mean absolute difference between its log-probabilities of the probe and the trainer's, in nats a token.
    pub gap: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Probe {
    pub(crate) fn check(&self, version: u64) -> Result<(), ServersError> {
        let Self { tokens, logprobs } = self;
        let problem = if tokens.len() < 2 {
            format!("{} tokens tell nothing", tokens.len())
        } else if logprobs.len() + 1 != tokens.len() {
            format!("{} tokens have {} log-probabilities", tokens.len(), logprobs.len())
        } else if let Some(place) = logprobs.iter().position(|logprob| !logprob.is_finite()) {
            format!("the log-probability of token {} is {}", place + 1, logprobs[place])
        } else {
            return Ok(());
        };
        Err(ServersError::Probe { version, problem })
    }

    /// Mean absolute difference from another's log-probabilities of the same tokens, in nats a token.
    pub(crate) fn gap(&self, others: &[f32]) -> f64 {
        let differences = self.logprobs.iter().zip(others).map(|(own, other)| f64::from((own - other).abs()));
        differences.sum::<f64>() / self.logprobs.len().max(1) as f64
    }
}
