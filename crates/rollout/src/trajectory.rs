//! What a sampler returns: replies with the log-probability of every token.

use crate::Prompt;

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// A stop token was sampled; it is the last token of the reply.
    Stop,
    /// The limit on new tokens was reached first.
    Length,
}

/// One sampled reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Which member of its group this is, from 0.
    pub member: usize,
    /// The sampled token ids, a final stop token included.
    pub tokens: Vec<u32>,
    /// Log-probability in nats of each token under the policy at the sampling temperature, before
    /// any truncation by top-p; at temperature 0 under the policy as it is. One per token.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: FinishReason,
    /// The tokens as text, special tokens left out.
    pub text: String,
}

/// The replies to one prompt.
#[derive(Clone, Debug)]
pub struct Group {
    /// What was replied to.
    pub prompt: Prompt,
    /// One trajectory per member, ordered by member.
    pub trajectories: Vec<Trajectory>,
}
