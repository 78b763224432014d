//! Samples, their sources, and the synthetic tool world.
//!
//! Invariant: a [`Sample`] is whole. It has at least one message and a gold reply, whatever source it came
//! from, and everything random here depends only on a seed that the caller gives, so the same settings give
//! the same samples on every machine.

mod error;
mod load;
mod sample;

pub use error::{DataError, Place};
pub use load::{Loaded, load};
pub use sample::{Message, Role, Sample, TaskKind};
