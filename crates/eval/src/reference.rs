//! What a sample's replies are held against.

use std::borrow::Cow;

use toolrl_data::Sample;
use toolrl_grammar::Dialect;
use toolrl_reward::{Asked, Reference, RewardError, Rubric};

/// The reference of a sample whose gold reply is in this dialect.
///
/// # Errors
/// As [`Reference::of_task`].
pub fn reference(sample: &Sample, dialect: &'static dyn Dialect) -> Result<Reference, RewardError> {
    Reference::of_task(&sample.gold, dialect, &sample.tools)
}

/// A sample's reference with what the sample asks, where a term of the rubric looks at it.
pub fn asked<'r>(reference: &'r Reference, sample: &Sample, rubric: &Rubric) -> Cow<'r, Reference> {
    if !rubric.reads_questions() {
        return Cow::Borrowed(reference);
    }
    // Messages are always text.
    let messages = serde_json::to_string(&sample.messages).unwrap_or_default();
    Cow::Owned(reference.clone().with_asked(Asked { id: sample.id.clone(), messages }))
}
