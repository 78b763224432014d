//! What a sample's replies are held against.

use toolrl_data::Sample;
use toolrl_grammar::Dialect;
use toolrl_reward::{Reference, RewardError};

/// The reference of a sample whose gold reply is in this dialect.
///
/// # Errors
/// As [`Reference::of_task`].
pub fn reference(sample: &Sample, dialect: &'static dyn Dialect) -> Result<Reference, RewardError> {
    Reference::of_task(&sample.gold, dialect, &sample.tools)
}
