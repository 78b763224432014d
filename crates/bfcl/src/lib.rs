//! The Berkeley Function-Calling Leaderboard, version 3: cases, prompts, decoding, verdicts and scores.
//!
//! Invariant: every reply, whatever its bytes, gets the verdict that the official scorer
//! (`bfcl-eval` 2025.8.6.2) gives it, in time linear in the reply. Errors come from the
//! benchmark's own files and from rows that are no rows, never from a reply.

mod case;
mod category;
mod check;
mod error;
mod export;
mod handler;
mod load;
mod score;
mod types;
mod verdict;

pub mod python;
pub mod rows;

pub use case::{Answer, Case, FunctionDoc, Message, MultiTurn, Parameter, Signature, Target};
pub use category::{Category, Group, Language, Matching, Rule};
pub use check::{Names, check, has_call, is_call_list};
pub use error::BfclError;
pub use export::{ExportForm, Replies, ResultFile, XLAM, result_files};
pub use handler::{
    Calls, DecodeError, Handler, NativeFormat, Prompt, PromptFile, ReplyReader, Said, Speaker,
};
pub use handler::{decode_ast, decode_execute, documents, tools};
pub use load::{Benchmark, Sources};
pub use score::{Column, Exec, Leaderboard, Missing, Tallies, Tally};
pub use types::{Declared, Kind};
pub use verdict::{ErrorType, Verdict};

/// Runs the guide's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/benchmarks.md")]
struct Guide;
