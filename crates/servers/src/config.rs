//! What a recipe says about its servers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ServersError;

/// What a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// vLLM: `vllm serve`.
    Vllm,
    /// SGLang: `sglang.launch_server`.
    Sglang,
}

/// How weights travel to a server. Either way they lie in a folder that the server's machine sees under the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// As an adapter, under a new name for each version: in a moment, and earlier versions go on being served.
    Lora,
    /// As a whole model directory, which takes the place of what the server holds.
    Disk,
}

/// Where rollouts are sampled, and how the weights get there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServersConfig {
    /// What all of the servers run.
    pub kind: Kind,
    /// Their addresses, such as `http://localhost:8000`; a `/v1` at the end is left out. Each is a server's own: behind a
    /// router's, one would take the weights and others be asked.
    pub urls: Vec<String>,
    /// The name under which they serve the base model.
    pub model: String,
    /// How weights travel.
    pub sync: Sync,
    /// The most nats a token, as a mean of absolute differences, by which a server's log-probabilities of a text may be
    /// off the trainer's: 0.02. Beyond it, the server is taken to hold other weights.
    ///
    /// Of the same weights in f32 the difference is that of the order of sums, measured as 6e-6 with vLLM 0.32; a stale
    /// cache of prompts was 0.29 off, a model's own settings of sampling 4.1. A server in bf16 is off by its rounding, 0.03
    /// as measured on a model of 135M parameters: there the limit has to be some 0.1. What one step of training changes is
    /// less than either, so the limit tells a wrong model, an adapter that does nothing and a half-loaded one; a server that
    /// is one step behind is told by its not having moved ([`crate::ServerReport::followed`]), and one that took a part of a
    /// step by a gap of 20 times what its smallest was, if that is more than a hundredth of the limit.
    #[serde(default = "defaults::probe_limit")]
    pub probe_limit: f64,
    /// Versions that a server keeps beside each other, at least 1: 2. A sampler of an earlier version goes on as long as
    /// its adapter is kept. Of whole models a server holds the last alone.
    #[serde(default = "defaults::keep")]
    pub keep: usize,
    /// Requests in progress at a time on each server, at most: 64.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: usize,
    /// Seconds that a request may take, its reply included: 600.
    #[serde(default = "defaults::timeout")]
    pub timeout: f64,
    /// How often a reply is asked for, on whichever server, before the batch fails: 5.
    #[serde(default = "defaults::attempts")]
    pub attempts: u32,
    /// Seconds for which a server that failed is left out, doubled each time that it fails again, up to a minute: 1.
    #[serde(default = "defaults::rest")]
    pub rest: f64,
    /// Seconds to wait for a server to come back when all are left out: 600.
    #[serde(default = "defaults::patience")]
    pub patience: f64,
    /// A file whose text is sent as the bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

mod defaults {
    pub(super) const fn probe_limit() -> f64 {
        0.02
    }
    pub(super) const fn keep() -> usize {
        2
    }
    pub(super) const fn concurrency() -> usize {
        64
    }
    pub(super) const fn timeout() -> f64 {
        600.0
    }
    pub(super) const fn attempts() -> u32 {
        5
    }
    pub(super) const fn rest() -> f64 {
        1.0
    }
    pub(super) const fn patience() -> f64 {
        600.0
    }
}

impl ServersConfig {
    /// Servers of this kind at these addresses, with the defaults for all else.
    pub fn new(kind: Kind, urls: Vec<String>, model: impl Into<String>, sync: Sync) -> Self {
        Self {
            kind,
            urls,
            model: model.into(),
            sync,
            probe_limit: defaults::probe_limit(),
            keep: defaults::keep(),
            concurrency: defaults::concurrency(),
            timeout: defaults::timeout(),
            attempts: defaults::attempts(),
            rest: defaults::rest(),
            patience: defaults::patience(),
            key_file: None,
        }
    }

    /// Whether every setting is in its range.
    pub(crate) fn check(&self) -> Result<(), ServersError> {
        let wrong = |key, problem: String| Err(ServersError::Setting { key, problem });
        let Self { urls, keep, concurrency, attempts, .. } = self;
        if urls.is_empty() {
            return wrong("urls", "names no server".to_owned());
        }
        if let Some((place, url)) = urls.iter().enumerate().find(|(place, url)| urls[..*place].contains(url))
        {
            return wrong("urls", format!("{url} stands at place {} and before", place + 1));
        }
        if self.model.is_empty() {
            return wrong("model", "is empty".to_owned());
        }
        for (key, count) in [("keep", *keep), ("concurrency", *concurrency), ("attempts", *attempts as usize)]
        {
            if count == 0 {
                return wrong(key, "0 should be at least 1".to_owned());
            }
        }
        let seconds = [("timeout", self.timeout), ("rest", self.rest), ("patience", self.patience)];
        for (key, value) in [("probe_limit", self.probe_limit)].into_iter().chain(seconds) {
            // A year, so that every sum of them is a time.
            if !(value > 0.0 && value < 3.2e7) {
                return wrong(key, format!("{value} should be above 0"));
            }
        }
        Ok(())
    }
}
