//! What a training run leaves behind, and the pages that show it: metrics, sampled completions, evaluations,
//! TensorBoard events, the summary, the report.
//!
//! Invariant: what a run wrote reads back as the same values, to the bit. A file is put in
//! place whole or appended to line by line, so that one which a kill cut off reads as everything up to its last whole
//! line. No text of a run is markup in a page.
//!
//! Types here are plain values: who trains turns its own types into them. [`StepLog`] appends and [`read_rows`]
//! reads; [`write_completions`], [`Summary::write`] and [`write_whole`] put files in place; [`report`] makes pages
//! of what was read.

mod completions;
mod course;
mod episode_record;
mod error;
mod evaluation_row;
mod events;
mod file;
mod metrics;
mod outcomes;
mod replies;
mod standstill;
mod step_log;
mod summary;
mod table;

pub mod protobuf;
pub mod report;

pub use completions::{
    Completion, completed_steps, completions_path, groups, read_completions, write_completions,
};
pub use course::Course;
pub use episode_record::EpisodeRecord;
pub use error::RecordError;
pub use evaluation_row::EvaluationRow;
pub use events::EventWriter;
pub use file::write_whole;
pub use metrics::{
    AdaptiveKlMetrics, CriticMetrics, DpoMetrics, GrpoMetrics, LogprobGap, PpoMetrics, ReplyLength,
    SftMetrics, SourceMetrics, Spread, StepDetail, StepMetrics, TaskMetrics,
};
pub use outcomes::{TaskOutcomes, evaluations_dir, outcomes_path};
pub use replies::{
    SampledEpisode, SampledTurn, read_replies, replied_rounds, replies_dir, replies_path, write_replies,
};
pub use standstill::{Cause, Standstill};
pub use step_log::{StepLog, StepRow, read_rows};
pub use summary::{SetSummary, StoppedEarly, Summary};
