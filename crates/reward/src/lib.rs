//! Named, weighted reward terms over a parsed reply, each score with its breakdown.
//!
//! Invariant: a reward is a pure function of the reply's text, the reference, the rubric and the
//! context. No file, no environment, no clock; a bad reply has a low score, never an error.
//!
//! A [`Rubric`] sums weighted [`Term`]s. Three are built in: [`Format`], [`Correctness`] and
//! [`Length`]; [`Rubric::toolrl`] is the reward of ToolRL (arXiv 2504.13958), and with
//! [`Matching::Parity`], the default, it is that of the paper's released code to the bit.
//!
//! # A term of one's own
//! ```
//! use toolrl_grammar::Parsed;
//! use toolrl_reward::{
//!     Context, Reference, Registry, RewardError, Rubric, RubricConfig, Term, TermScore, settings,
//! };
//!
//! /// Charges for every call beyond those that the reference makes.
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Frugality {
//!     price: f64,
//! }
//!
//! impl Term for Frugality {
//!     fn id(&self) -> &str {
//!         "frugality"
//!     }
//!
//!     fn range(&self, _: &Context) -> (f64, f64) {
//!         (f64::NEG_INFINITY, 0.0)
//!     }
//!
//!     fn score(
//!         &self,
//!         parsed: &Parsed<'_>,
//!         reference: &Reference,
//!         _: &Context,
//!     ) -> Result<TermScore, RewardError> {
//!         let block = parsed.reply.tool_calls.as_ref();
//!         let made = block.and_then(|block| block.calls.as_ref().ok()).map_or(0, Vec::len);
//!         let wanted = reference.calls().map_or(0, <[_]>::len);
//!         let extra = made.saturating_sub(wanted);
//!         Ok(TermScore::new(-self.price * extra as f64).with_note(format!("{extra} calls too many")))
//!     }
//! }
//!
//! let mut registry = Registry::builtin();
//! registry.register("frugality", |table| Ok(Box::new(settings::<Frugality>("frugality", table)?)));
//!
//! #[derive(serde::Deserialize)]
//! struct Recipe {
//!     reward: RubricConfig,
//! }
//! let recipe: Recipe = toml::from_str(
//!     r#"
//!     [[reward]]
//!     id = "correctness"
//!     granularity = "strict"
//!
//!     [[reward]]
//!     id = "frugality"
//!     weight = 0.5
//!     price = 1.0
//!     "#,
//! )?;
//! let rubric = Rubric::from_config(&recipe.reward, &registry)?;
//!
//! let call = r#"{"name": "f", "parameters": {}}"#;
//! let reference = Reference::parse(&format!("<tool_call>{call}</tool_call>"))?;
//! let reply = format!("<tool_call>{call}\n{call}</tool_call>");
//! let score = rubric.score(&toolrl_grammar::parse(&reply), &reference, &Context::evaluation())?;
//! assert_eq!(score.value("frugality"), Some(-1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod breakdown;
mod context;
mod correctness;
mod error;
mod explain;
mod format;
mod length;
mod reference;
mod registry;
mod rubric;
mod scale;
mod term;

pub mod released;
pub mod rows;

pub use breakdown::{
    Breakdown, CallPoints, CallScore, Comparison, Defect, Loss, Outcome, Points, Side, Unscorable,
};
pub use context::{Context, Progress};
pub use correctness::{Correctness, CorrectnessSettings, Granularity, Matching};
pub use error::RewardError;
pub use explain::explain;
pub use format::{Format, FormatSettings};
pub use length::{Length, LengthSettings, LengthTarget};
pub use reference::Reference;
pub use registry::{Registry, settings};
pub use rubric::{Rubric, RubricConfig, Score, ScoredTerm, TermConfig};
pub use scale::Scale;
pub use term::{Component, Term, TermScore};
