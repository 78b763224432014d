//! One evaluator for BFCL V3, API-Bank and Bamboogle, by a local policy or by a served model.
//!
//! Invariant: a case's outcome depends on the case, the replies and the settings that the log's first line
//! holds; a run that was killed goes on where it stopped, with no case lost and none asked twice.
//!
//! A [`Benchmark`] has cases, each of which opens a [`Case`]: a [`Session`](toolrl_rollout::Session) that answers a
//! model's turns as any environment does, and in the end is an [`Outcome`]. [`run()`] drives many of them in rounds:
//! in each, a [`Replier`] is asked for all replies that are needed, so that a local engine decodes them together and
//! an endpoint is asked for several at a time. Outcomes go to an [`OutcomeLog`] as they come.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use toolrl_benchmarks::{ApiBank, Benchmark, Endpoint, Header, OutcomeLog, RunSettings, run};
//! use toolrl_remote::{Client, Settings};
//!
//! let benchmark = ApiBank::load("data/api_bank".as_ref())?;
//! let client = Client::new(Settings::new("http://localhost:8000/v1"))?;
//! let mut replier = Endpoint::new(client, "my-model");
//! let settings = RunSettings::default();
//! let header = Header::new(&benchmark, "my-model", &settings);
//! let mut log = OutcomeLog::open("out/outcomes.jsonl".as_ref(), &header)?;
//! run(&benchmark, &mut replier, &mut log, &settings, |done, of| println!("{done} of {of}")).await?;
//! for score in benchmark.scores(log.outcomes()) {
//!     println!("{}: {:?}", score.name, score.value);
//! }
//! # Ok(())
//! # }
//! ```

mod api_bank;
mod bamboogle;
mod benchmark;
mod bfcl;
mod case;
mod error;
mod fingerprint;
mod log;
mod outcome;
mod replier;
mod report;
mod run;

pub use api_bank::{ApiBank, Wording};
pub use bamboogle::{Bamboogle, ExactMatch, Judge, LocalIndex, ModelJudge, Search, SearchService};
pub use benchmark::{Benchmark, CaseKey, Score, Unit};
pub use bfcl::{Bfcl, BfclSettings, export};
pub use case::Case;
pub use error::BenchmarkError;
pub use fingerprint::{of_data, of_policy};
pub use log::{Header, OutcomeLog};
pub use outcome::Outcome;
pub use replier::{Endpoint, LocalPolicy, Replier, Replies, Talk};
pub use report::{Example, Failures, GroupRates, PaperTable, Report, RunReport, compare};
pub use run::{RunSettings, run};
