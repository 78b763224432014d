//! Scoring by a rubric, at no training step.

use toolrl_data::Sample;
use toolrl_grammar::{parse, text};
use toolrl_reward::{Context, Reference, Rubric};

use crate::{ScoreError, TaskScore};

/// A rubric's reward of a reply, its outer white space left out as in training. Its context is the
/// fixed one of evaluation, so no schedule moves it.
///
/// # Errors
/// A gold reply that cannot be read, or a term's failure that leaves the reply without a reward.
pub fn rubric_score(rubric: &Rubric, sample: &Sample, reply: &str) -> Result<TaskScore, ScoreError> {
    let reference = Reference::parse(&sample.gold)?;
    let parsed = parse(text::strip(reply.as_bytes()));
    let score = rubric.score(&parsed, &reference, &Context::evaluation())?;
    score.try_into()
}
