//! Samples, their sources, and the synthetic tool worlds.
//!
//! Invariant: a [`Sample`] is whole. It has at least one message and a gold reply, whatever source it came
//! from, and everything random here depends only on a seed that the caller gives, so the same settings give
//! the same samples on every machine.

mod blend;
mod error;
mod forms;
mod gold;
mod gold_check;
mod lengths;
mod load;
mod sample;
mod split;
mod stats;
mod template;
mod write;

pub mod build;
pub mod convert;
pub mod inspect;
pub mod random;
pub mod wide;
pub mod world;

pub use blend::Blend;
pub use error::{DataError, Place};
pub use forms::{Form, Reading, Turns, changes_prompt};
pub use gold::Gold;
pub use gold_check::{GoldFault, GoldReport, Unscorable};
pub use lengths::{Bin, Lengths};
pub use load::{Encoding, Faulty, LoadConfig, Loaded, RefusedRow, load, load_with};
pub use sample::{Sample, TaskKind};
pub use split::{HeldOut, Split, split};
pub use stats::{Stats, describe};
pub use toolrl_chat::Message;
pub use write::{write_jsonl, write_parquet};
