//! The local sampler: a group's prompt computed once, batched decoding, log-probabilities.
//!
//! Invariant: what is sampled does not depend on what else is in the batch: a reply is a function of
//! the policy, its prompt, the sampling settings and its own random stream, up to the rounding of
//! f32. The engine touches no files.

mod batch;
mod draw;
mod engine;
mod graphs;
mod slots;

pub use draw::{Draw, draw};
pub use engine::Engine;
