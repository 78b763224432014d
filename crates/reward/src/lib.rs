//! Named, weighted reward terms over a parsed reply, each score with its breakdown.
//!
//! Invariant: a reward is a function of the reply's text, the reference, the rubric and the context, and of
//! whatever a term of one's own asks. No file, no environment. A bad reply has a low score, never an error; a
//! term that fails is counted with its cause, and ends the work only where a recipe says so ([`OnFailure`]).
//!
//! A [`Rubric`] sums weighted [`Term`]s. Six are built in: [`Format`], [`Correctness`], [`Length`], [`Schema`],
//! [`Binary`] and [`RougeValues`]; [`PRESETS`] names rewards of the literature. [`Rubric::toolrl`] is the reward of
//! ToolRL (arXiv 2504.13958), and with [`Matching::Parity`], the default, it is that of the paper's released code to
//! the bit.
//!
//! ```
//! use toolrl_reward::{Context, Reference, Registry, Rubric, RubricConfig};
//!
//! let rubric = Rubric::from_config(&RubricConfig::default(), &Registry::builtin()).unwrap();
//! let gold = "<think>a</think>\n<response>b</response>";
//! let reference = Reference::parse(gold).unwrap();
//! let score = rubric.score(&toolrl_grammar::parse(gold), &reference, &Context::evaluation());
//! assert_eq!(score.unwrap().total, 1.0);
//! ```
//!
//! A term of one's own is a closure ([`Registry::register_fn`]), a type that implements [`Term`], or one that
//! has to be waited for ([`AsyncTerm`]); `docs/rewards.md` shows each whole. One that scores many replies at once is a
//! [`BatchTerm`]: those of other programs, in the crate toolrl-scorers, are.

mod asynchronous;
mod batch;
mod binary;
mod breakdown;
mod call;
mod closure;
mod config;
mod context;
mod correctness;
mod error;
mod explain;
mod failure;
mod format;
mod length;
mod parts;
mod preset;
mod random;
mod reference;
mod registry;
mod rouge;
mod rouge_values;
mod rubric;
mod scale;
mod schema;
mod score;
mod term;
mod thoughts;
mod tools;

pub mod released;
pub mod rows;

pub use asynchronous::{AsyncTerm, Limits, ScoreFuture};
pub use batch::{BatchFuture, BatchTerm};
pub use binary::{Binary, BinarySettings, CallOrder, Form};
pub use breakdown::{
    Breakdown, CallCheck, CallPoints, CallScore, CallSimilarity, Comparison, Defect, Loss, Outcome, Points,
    Side, Unscorable,
};
pub use call::AnyCall;
pub use closure::{AsyncFnTerm, FnTerm};
pub use config::{RubricConfig, TermConfig};
pub use context::{Context, Progress};
pub use correctness::{Correctness, CorrectnessSettings, Granularity, Matching};
pub use error::RewardError;
pub use explain::explain;
pub use failure::{FailureCause, OnFailure, TermFailure, is_scoring};
pub use format::{Format, FormatSettings};
pub use length::{Length, LengthSettings, LengthTarget};
pub use parts::{Part, PartId, parts};
pub use preset::PRESETS;
pub use random::Random;
pub use reference::{Asked, Reference};
pub use registry::{Registry, settings};
pub use rouge_values::{RougeValues, RougeValuesSettings};
pub use rubric::{AnyTerm, Reply, Rubric, WeightedTerm};
pub use scale::Scale;
pub use schema::{Additional, Schema, SchemaCredit, SchemaSettings};
pub use score::{Score, ScoredTerm};
pub use term::{Component, Term, TermScore};
pub use thoughts::Thoughts;
pub use tools::{Tool, Tools};

/// Runs the guide's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rewards.md")]
struct Guide;
