//! Checkpoints: everything that a run needs to go on exactly, whole or not there at all.
//!
//! `checkpoints/step-00010` is the policy in Hugging Face form, with `trainer/` (the optimiser's state and the exact
//! values that it changes; PPO's critic the same; what follows the policy, as a reference that moves) and `manifest.json`,
//! which has the checksum of every other file. What is random in a run follows from its seed and the step's number, and so
//! needs no state.

mod folder;
mod manifest;
mod state;

pub(crate) use folder::{Checkpoints, sync};
pub use manifest::Manifest;
pub(crate) use state::State;
