//! Grids of recipes over seeds, and the tables, curves and findings that come of them.
//!
//! Invariant: a study's results follow from its file alone. A run of a plan that is finished is never done twice, every figure
//! stands in a finished run's files, and a claim is told to hold only where chance is ruled out, among all claims of the study.
//!
//! [`Study::parse`] reads a file, [`Plan::of`] makes the runs that it asks for, [`Work`] does those that are not
//! done, and [`Results::read`] gathers what they left.

mod arm_run;
mod cases;
mod curve;
mod error;
mod findings;
mod measure;
mod only;
mod page;
mod plan;
mod results;
mod settings;
mod study;
mod work;

pub use arm_run::ArmRun;
pub use curve::{Curve, CurvePoint};
pub use error::StudyError;
pub use findings::{Chance, FindingResult, Verdict};
pub use measure::{Measure, Statistic};
pub use page::{markdown, page};
pub use plan::{Plan, PlannedRun, Purpose};
pub use results::{ArmResult, Results};
pub use study::{Arm, Checkpoints, Finding, Stage, Study, Table, Test};
pub use work::{StudyObserver, When, Work};
