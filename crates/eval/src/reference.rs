//! What a sample's replies are held against.

use std::borrow::Cow;

use toolrl_data::Sample;
use toolrl_reward::{Asked, Reference, Rubric};

/// A sample's reference with what the sample asks, where a term of the rubric looks at it.
pub fn asked<'r>(reference: &'r Reference, sample: &Sample, rubric: &Rubric) -> Cow<'r, Reference> {
    if !rubric.reads_questions() {
        return Cow::Borrowed(reference);
    }
    // Messages are always text.
    let messages = serde_json::to_string(&sample.messages).unwrap_or_default();
    Cow::Owned(reference.clone().with_asked(Asked { id: sample.id.clone(), messages }))
}
