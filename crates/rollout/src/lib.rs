//! From a task to a group of episodes: prompts, the sampler trait, environments, random streams.
//!
//! Invariants: every random number of a rollout depends only on (seed, step, prompt, member, position), so neither
//! batching, nor the number of threads, nor a resume can change what is sampled. What was sampled is never tokenised
//! again: an episode grows by token ids.
//!
//! A task opens an episode with its [`Prompt`]. A [`Sampler`] continues it by a turn, which is read as a [`Reply`]; the
//! [`Environment`] answers, and so on until it ends. [`play()`] does this for the groups of a training step. A task whose
//! reply is only compared with a gold one is an episode of a single turn, in the environment [`GoldReply`].

mod dialogue;
mod environment;
mod episode;
mod error;
mod group;
mod params;
mod play;
mod prompt;
mod reply;
mod sampler;
mod stop;
mod stream;

pub use dialogue::Dialogue;
pub use environment::{Answer, Answering, Beginning, Closing, Environment, GoldReply, Session};
pub use episode::{Ended, Episode, Segment};
pub use error::{Cause, RolloutError};
pub use group::Group;
pub use params::SamplingParams;
pub use play::{Play, play};
pub use prompt::{Opening, Prompt};
pub use reply::{Reply, ReplyEnd, ServedCall};
pub use sampler::{FinishReason, Request, Sampled, Sampler, SamplerSource, Sampling};
pub use stop::StopStrings;
pub use stream::{Stream, StreamKey};
