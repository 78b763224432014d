//! What a decoder's operations are told beside numbers: which tokens see which, where a cache holds what, by which
//! angles rows turn, and how an optimiser steps and a token is drawn.
//!
//! Invariant: plain data, of no tensor library and no device. What was built by a constructor here fits together, and
//! what its user fills in has a check that says what does not.

mod adamw;
mod cache;
mod error;
mod heads;
mod packing;
mod rope;
mod rows;
mod sampling;

pub use adamw::{AdamWState, AdamWStep};
pub use cache::{CacheSpans, DecodeRoom};
pub use error::LayoutError;
pub use heads::Heads;
pub use packing::{Packing, Segment};
pub use rope::{RopeTable, Rotation};
pub use rows::{NewRows, Projected};
pub use sampling::{Draws, Sampling};
