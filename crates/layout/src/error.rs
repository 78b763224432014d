//! What does not fit together.

use crate::Heads;

/// Why sizes, or the rows of a cache, were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A size of heads is zero, or the key-value heads do not divide the query heads.
    #[error("attention cannot have {} query and {} key-value heads of width {}", .0.query, .0.kv, .0.dim)]
    Heads(Heads),
    /// A sequence has no cached row.
    #[error("sequence {0} sees no cached row")]
    NothingSeen(usize),
    /// A step needs more than there is room for.
    #[error("a step of {found} {what}, where there is room for {most}")]
    Room {
        /// What there is too much of.
        what: &'static str,
        /// How much of it the step has.
        found: usize,
        /// How much it may have.
        most: usize,
    },
}
