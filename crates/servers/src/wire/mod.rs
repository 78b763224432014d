//! What is said to a server, and what it answers: the one place that knows one kind from another.

mod sglang;
mod vllm;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toolrl_remote::{Client, RemoteError};
use toolrl_rollout::SamplingParams;

use crate::{Kind, Probe, ReplyProblem, ServersError, Sync};

/// The longest that a server may take to tell that it is well.
const GREETING: Duration = Duration::from_secs(30);

/// One version of the weights, as it was published.
#[derive(Debug)]
pub(crate) struct Publication {
    pub version: u64,
    /// Its name on the servers: that of the adapter, or the label of the whole model's weights.
    pub name: String,
    pub dir: PathBuf,
    pub probe: Probe,
}

/// What is asked for: a turn that continues these tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub weights: &'a Publication,
    pub tokens: &'a [u32],
    pub params: &'a SamplingParams,
    /// The limit on new tokens.
    pub limit: usize,
    pub stop_tokens: &'a [u32],
    pub seed: i64,
}

/// A turn as a server sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Raw {
    pub tokens: Vec<u32>,
    pub logprobs: Vec<f32>,
    /// What the server says of its end.
    pub finish: Option<String>,
}

/// Of which distribution a server's log-probabilities are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogprobMode {
    /// Of the policy, whatever the temperature.
    Raw,
    /// Of the policy at the temperature.
    Tempered,
    /// Of what is left of it at the temperature after top-k, top-p and min-p.
    Truncated,
}

impl LogprobMode {
    /// Whether these are the log-probabilities that training needs of turns that were drawn so
    /// ([`toolrl_rollout::Sampled::logprobs`]).
    pub(crate) fn serves(self, params: &SamplingParams) -> bool {
        match self {
            Self::Raw => params.temperature == 0.0 || params.temperature == 1.0,
            Self::Tempered => true,
            Self::Truncated => !params.truncates(),
        }
    }

    /// Its name in an error.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Raw => "of the policy at temperature 1",
            Self::Tempered => "of the policy at the temperature",
            Self::Truncated => "of what top-k, top-p and min-p leave",
        }
    }
}

/// A client of one server, and how to speak with it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub client: Client,
    pub kind: Kind,
    pub sync: Sync,
    /// The name of the base model.
    pub model: String,
}

/// A model in the list of those served.
#[derive(Deserialize)]
struct Model {
    id: String,
    max_model_len: Option<usize>,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

impl Wire {
    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        &self.client.settings().base_url
    }

    /// Finds the server well and the base model there; the tokens that its context holds, where it says so.
    pub(crate) fn greet(&self) -> Result<Option<usize>, ServersError> {
        let client = self.client.clone().within(GREETING);
        client.get("health")?;
        let models: Models = self.read("v1/models", &client.get("v1/models")?)?;
        match models.data.iter().find(|model| model.id == self.model) {
            Some(model) => Ok(model.max_model_len),
            None => Err(ServersError::NotServed {
                url: self.url().to_owned(),
                model: self.model.clone(),
                served: models.data.into_iter().map(|model| model.id).collect(),
            }),
        }
    }

    /// What tells the server's process from one that takes its place, with the weights of the beginning under the same
    /// name; none where that shows in every reply, as a version or an adapter that is not there, and where it is not told.
    pub(crate) fn started(&self) -> Result<Option<String>, ServersError> {
        match (self.kind, self.sync) {
            (Kind::Vllm, Sync::Disk) => vllm::started(self),
            _ => Ok(None),
        }
    }

    /// Has the server take these weights. Of whole models nothing may be in progress there.
    pub(crate) fn load(&self, weights: &Publication) -> Result<(), ServersError> {
        match (self.kind, self.sync) {
            (Kind::Vllm, Sync::Lora) => vllm::load_adapter(self, weights),
            (Kind::Vllm, Sync::Disk) => vllm::load_model(self, weights),
            (Kind::Sglang, Sync::Lora) => sglang::load_adapter(self, weights),
            (Kind::Sglang, Sync::Disk) => sglang::load_model(self, weights),
        }
    }

    /// Has the server forget an adapter.
    pub(crate) fn unload(&self, weights: &Publication) -> Result<(), ServersError> {
        match (self.kind, self.sync) {
            (_, Sync::Disk) => Ok(()),
            (Kind::Vllm, Sync::Lora) => vllm::unload_adapter(self, weights),
            (Kind::Sglang, Sync::Lora) => sglang::unload_adapter(self, weights),
        }
    }

    /// The log-probability of each of the probe's tokens but the first.
    pub(crate) fn score(&self, weights: &Publication) -> Result<Vec<f32>, ServersError> {
        match self.kind {
            Kind::Vllm => vllm::score(self, weights),
            Kind::Sglang => sglang::score(self, weights),
        }
    }

    /// Finds out which log-probabilities the server gives.
    pub(crate) fn logprob_mode(&self, weights: &Publication) -> Result<LogprobMode, ServersError> {
        match self.kind {
            Kind::Vllm => vllm::logprob_mode(self, weights),
            Kind::Sglang => sglang::logprob_mode(self, weights),
        }
    }

    /// That the server's log-probabilities are not those that these settings need.
    pub(crate) fn mode_error(&self, mode: LogprobMode, params: &SamplingParams) -> ServersError {
        let advice = match (self.kind, params.truncates(), params.temperature == 1.0) {
            (Kind::Vllm, true, true) => "start vLLM with --logprobs-mode raw_logprobs",
            (Kind::Vllm, true, false) => {
                "vLLM has none for a temperature beside 1 with top-k, top-p or min-p: leave one out"
            }
            (Kind::Vllm, false, _) => "start vLLM with --logprobs-mode processed_logprobs",
            (Kind::Sglang, ..) => "start SGLang without SGLANG_RETURN_ORIGINAL_LOGPROB",
        };
        let needed = LogprobMode::Tempered.told();
        ServersError::LogprobMode { url: self.url().to_owned(), given: mode.told(), needed, advice }
    }

    /// One turn.
    pub(crate) fn turn(&self, ask: &Ask<'_>) -> Result<Raw, ServersError> {
        match self.kind {
            Kind::Vllm => vllm::turn(self, ask),
            Kind::Sglang => sglang::turn(self, ask),
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, path: &str, answer: &'a [u8]) -> Result<T, RemoteError> {
        serde_json::from_slice(answer).map_err(|error| self.client.form(path, error))
    }

    /// Posts, and reads what is answered.
    fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, RemoteError> {
        self.read(path, &self.client.post_text(path, &body.to_string())?)
    }

    fn wrong(&self, problem: ReplyProblem) -> ServersError {
        ServersError::Reply { url: self.url().to_owned(), problem }
    }

    fn not_taken(&self, weights: &Publication, problem: impl Into<String>) -> ServersError {
        ServersError::NotTaken {
            url: self.url().to_owned(),
            version: weights.version,
            problem: problem.into(),
        }
    }

    /// Log-probabilities as numbers. JSON has no word for those that are none, and servers send what they please.
    fn numbers(&self, values: impl IntoIterator<Item = Option<f64>>) -> Result<Vec<f32>, ServersError> {
        let number = |(position, value): (usize, Option<f64>)| {
            // Above 0 by no more than the rounding of a sum; minus infinity is -9999 to vLLM.
            let number = value.filter(|value| *value > -9999.0 && *value <= 1e-3);
            number.map(|number| number as f32).ok_or(ReplyProblem::NoLogprob { position, value })
        };
        let numbers: Result<Vec<f32>, _> = values.into_iter().enumerate().map(number).collect();
        numbers.map_err(|problem| self.wrong(problem))
    }
}

/// The beginning of the probe up to where its next token is least sure.
fn unsure(probe: &Probe) -> &[u32] {
    let least = probe.logprobs.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    &probe.tokens[..=least.map_or(0, |(place, _)| place)]
}
