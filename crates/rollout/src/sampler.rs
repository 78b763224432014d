//! The one door to a policy that generates: a local engine and a server look the same.

use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use toolrl_chat::Chat;

use crate::{Prompt, RolloutError, SamplingParams, StreamKey};

/// What is to be continued by a turn: one context, by some members of its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// [`crate::Prompt::index`].
    pub index: u64,
    /// Everything that the policy reads: the prompt, and what followed it.
    pub tokens: &'a [u32],
    /// Which members continue it, each by a turn of its own.
    pub members: Range<usize>,
    /// Tokens that each member has drawn before: its random numbers go on there.
    pub drawn: usize,
}

impl<'a> Request<'a> {
    /// The first turn of so many members.
    pub fn first(prompt: &'a Prompt, members: usize) -> Self {
        Self { index: prompt.index, tokens: &prompt.tokens, members: 0..members, drawn: 0 }
    }
}

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// A stop token was sampled; it is the last token of the turn.
    Stop,
    /// A stop string was written ([`SamplingParams::stop`]); the last token of the turn completes it.
    StopString,
    /// The limit on new tokens was reached first.
    Length,
}

/// One sampled turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The sampled token ids, a final stop token included; never empty.
    pub tokens: Vec<u32>,
    /// Log-probability in nats of each token under the policy at the sampling temperature, before
    /// anything was left out by top-k, top-p or min-p; at temperature 0 under the policy as it is. One per token.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: FinishReason,
    /// Which version of the policy it is of: the number of training steps that made it.
    pub version: u64,
}

/// The turns of each request's members, on their way.
pub type Sampling<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<Sampled>>, RolloutError>> + 'a>>;

/// A policy that continues conversations.
pub trait Sampler {
    /// Continues each request by a turn a member. The result has the order of `requests`, and each request's turns
    /// the order of its members.
    ///
    /// # Errors
    /// [`RolloutError`] when a context does not fit or the policy fails.
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a>;
}

/// Where a training run's samplers come from: one for every version of its policy, of type `P`.
pub trait SamplerSource<P: ?Sized>: Sync {
    /// A sampler that holds these weights, which `version` training steps have made. The policy's tokenizer tells the
    /// text in which stop strings are found.
    ///
    /// # Errors
    /// [`RolloutError::Sampler`] when the weights cannot be brought to where it samples.
    fn at<'a>(
        &'a self,
        policy: &'a P,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError>;

    /// The same without a hold on the policy: it samples while the policy is changed, and goes on being of this version.
    /// None where there is no such sampler, as where the weights are the policy's own.
    ///
    /// # Errors
    /// As [`SamplerSource::at`].
    fn ahead<'a>(
        &'a self,
        _policy: &P,
        _chat: &'a Chat,
        _version: u64,
    ) -> Result<Option<Box<dyn Sampler + Send + 'a>>, RolloutError> {
        Ok(None)
    }

    /// The same for one run, whose directory this is. None where all runs share it.
    fn of_run(&self, _run_dir: &Path) -> Option<Arc<dyn SamplerSource<P> + Send>> {
        None
    }

    /// Tokens, prompt and turns together, that a context holds there, where that is known: it may be less than the policy's.
    fn context(&self) -> Option<usize> {
        None
    }

    /// Figures of what the samplers did since this was last asked, by name, for a step's metrics.
    fn figures(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}
