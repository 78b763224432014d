//! What a reward does on recorded replies: explained, compared, attacked and forecast, without a model.
//!
//! Invariant: every figure follows from the rows, the rubrics and a seed alone. Nothing here samples, trains,
//! touches a file or prints.
//!
//! - [`Page`]: what every point was given or taken for, as one page of HTML.
//! - [`Diff`]: the rows and the pairs of a group that two rewards see differently.
//! - [`fuzz()`]: damaged gold replies on which a rubric breaks a promise.
//! - [`Forecast`]: what groups of sampled replies would teach under a reward.
//!
//! Rows ([`Row`]) come as the released code's or as a training run records them. A [`Reward`] scores them: the
//! variant that each row names, or one rubric with any registered terms.
//!
//! ```
//! use toolrl_workbench::{Diff, Reward, Row};
//!
//! let gold = r#"<think>a</think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": 2}}\n</tool_call>"#;
//! let lines = [gold.to_owned(), gold.replace("2}", "3}")]
//!     .map(|reply| format!(r#"{{"solution_str": "{reply}", "ground_truth": "{gold}"}}"#));
//! let rows: Vec<Row> = lines
//!     .iter()
//!     .zip(1..)
//!     .map(|(line, number)| Row::parse(line.as_bytes(), number, None))
//!     .collect::<Result<_, _>>()?;
//!
//! let (a, b) = (Reward::per_row(), Reward::released("COARSEREWARD")?);
//! let mut diff = Diff::new(&a.name, &b.name, 10);
//! for ((row, a), b) in rows.iter().zip(a.score(&rows)).zip(b.score(&rows)) {
//!     diff.add(row, &a, &b);
//! }
//! let report = diff.finish();
//! assert_eq!((report.rows, report.differing, report.kendall_tau), (2, 1, Some(1.0)));
//! # Ok::<(), toolrl_workbench::WorkbenchError>(())
//! ```

mod choice;
mod diff;
mod error;
mod forecast;
mod fuzz;
mod html;
mod row;

pub use choice::{FLAGS, Reward, Scored, terms};
pub use diff::{Diff, DiffReport, Pairs, Reordered, RowDifference, Scaling, Side};
pub use error::WorkbenchError;
pub use forecast::{
    AdvantageForecast, Advice, Correlation, Forecast, ForecastReport, GroupSize, Reason, Saturated,
    TermForecast, Totals, ZeroVariance,
};
pub use fuzz::{
    CounterExample, Damage, Edit, FuzzReport, FuzzSettings, MOST_DAMAGES, Property, PropertyReport, Tag, fuzz,
};
pub use html::Page;
pub use row::{GroupKey, Row, groups};
