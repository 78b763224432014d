//! What a run leaves behind: metrics, sampled completions, TensorBoard events, the summary.
//!
//! Every file is either appended to line by line or put in place whole, so that a run that is cut off
//! leaves only files that can be read.

mod completions;
mod error;
mod evaluation_row;
mod events;
mod file;
mod metrics;
mod step_log;
mod summary;

pub use completions::{Completion, completions_path, read_completions, write_completions};
pub use error::RecordError;
pub use evaluation_row::EvaluationRow;
pub use events::EventWriter;
pub use file::write_whole;
pub(crate) use metrics::means;
pub use metrics::{
    CriticMetrics, GrpoMetrics, LogprobGap, PpoMetrics, ReplyLength, SftMetrics, Spread, StepDetail,
    StepMetrics,
};
pub use step_log::{StepLog, StepRow, read_rows};
pub use summary::Summary;
