//! Grids of recipes over seeds, and the tables, curves and findings that come of them.
//!
//! Invariant: a study's results follow from its file alone. A run of a plan that is finished is never done twice, every figure
//! stands in a finished run's files, and a claim is told to hold only where the seeds do not overlap.
//!
//! [`Study::parse`] reads a file, [`Plan::of`] makes the runs that it asks for, [`Work`] does those that are not
//! done, and [`Results::read`] gathers what they left.

mod curve;
mod error;
mod findings;
mod measure;
mod page;
mod plan;
mod results;
mod study;
mod work;

pub use curve::{Curve, CurvePoint};
pub use error::StudyError;
pub use findings::{FindingResult, Verdict};
pub use measure::{Measure, Statistic};
pub use page::{markdown, page};
pub use plan::{Plan, PlannedRun};
pub use results::{ArmResult, ArmRun, Results};
pub use study::{Arm, Finding, Stage, Study, Table};
pub use work::{StudyObserver, When, Work};
