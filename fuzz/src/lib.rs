//! What must hold whatever bytes come in: a function for each fuzz target.
//!
//! Each takes the fuzzer's bytes and panics where a promise of a crate is broken. The targets in
//! `fuzz_targets` are one line each around them, so that `cargo test` can run the same functions over the
//! committed corpus with the stable compiler.

mod benchmarks;
mod chat;
#[cfg(feature = "tables")]
mod data;
mod dialects;
mod folder;
mod hub;
mod remote;
mod reward;
mod services;
mod text;

pub use benchmarks::{benchmark_files, bfcl};
pub use chat::{chat_template, text_tokens, tokenizer};
#[cfg(feature = "tables")]
pub use data::{dataset, parquet};
pub use dialects::dialects;
pub use hub::hub_names;
pub use remote::http_answer;
pub use reward::reward_row;
pub use services::service_calls;
pub use text::{json, pythonic, reply};

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("reply", reply),
    ("dialects", dialects),
    ("json", json),
    ("pythonic", pythonic),
    ("bfcl", bfcl),
    ("reward_row", reward_row),
    ("tokenizer", tokenizer),
    ("text_tokens", text_tokens),
    ("chat_template", chat_template),
    #[cfg(feature = "tables")]
    ("parquet", parquet),
    #[cfg(feature = "tables")]
    ("dataset", dataset),
    ("service_calls", service_calls),
    ("benchmark_files", benchmark_files),
    ("http_answer", http_answer),
    ("hub_names", hub_names),
];
