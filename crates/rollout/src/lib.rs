//! From a sample to a scored group: prompts, trajectories, the sampler trait, random streams.
//!
//! Invariant: every random number of a rollout depends only on (seed, step, prompt, member, position),
//! so neither batching, nor the number of threads, nor a resume can change what is sampled.

mod prompt;
mod sampler;
mod stream;
mod trajectory;

pub use prompt::{Prompt, PromptError, prompt_of_sample};
pub use sampler::{SampleError, Sampler, SamplingParams};
pub use stream::{Stream, StreamKey};
pub use trajectory::{FinishReason, Group, Trajectory};
