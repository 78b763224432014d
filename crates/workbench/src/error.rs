//! What can go wrong on the workbench.

use toolrl_reward::RewardError;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkbenchError {
    /// A line is no row.
    #[error(transparent)]
    Row(#[from] RewardError),
    /// A row is of neither form.
    #[error("expected \"solution_str\" and \"ground_truth\", or \"completion\" and \"gold\", found {found}")]
    RowForm {
        /// The keys that it has.
        found: String,
    },
    /// A row lacks the field by which rows are grouped.
    #[error("field {field:?}, by which rows are grouped, is missing")]
    NoGroupField {
        /// The field.
        field: String,
    },
    /// A rubric that is written on the command line cannot be read.
    #[error("terms {text:?}: {message}")]
    Terms {
        /// What was written.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// A flag that the released code does not have.
    #[error("released variant: unknown flag {flag:?}; known: {}", known.join(", "))]
    Flag {
        /// The flag.
        flag: String,
        /// All there are.
        known: &'static [&'static str],
    },
    /// Nothing is left to work on.
    #[error("{what}")]
    Nothing {
        /// What there is none of.
        what: String,
    },
    /// The page of explanations cannot be written.
    #[error("the page: {0}")]
    Page(#[from] minijinja::Error),
}
