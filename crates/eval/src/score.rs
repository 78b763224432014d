//! The rewards of evaluated episodes, at no training step.

use toolrl_data::Sample;
use toolrl_reward::{Context, Reference, RewardError, Rubric};
use toolrl_rollout::Episode;

use crate::{ScoreError, TaskScore, asked};

/// An episode of a task, and what it is held against.
#[derive(Clone, Copy)]
pub(crate) struct Played<'a> {
    pub sample: &'a Sample,
    pub episode: &'a Episode,
    pub gold: &'a Result<Reference, RewardError>,
}

/// The rewards of some episodes, each by its last turn and by its environment's verdict. The rubric's context is the
/// fixed one of evaluation, so no schedule moves them.
pub(crate) async fn scores(rubric: &Rubric, played: &[Played<'_>]) -> Vec<Result<TaskScore, ScoreError>> {
    let told: Vec<_> = played
        .iter()
        .filter_map(|of| Some((of.episode, asked(of.gold.as_ref().ok()?, of.sample, rubric))))
        .collect();
    let readable: Vec<_> =
        told.iter().map(|(episode, gold)| (gold.read(episode.reply().text.as_bytes()), &**gold)).collect();
    let mut scores = rubric.score_batch(&readable, &Context::evaluation()).await.into_iter();
    let score = |of: &Played<'_>| match of.gold {
        Ok(_) => {
            let score = TaskScore::try_from(scores.next().ok_or("no score")??)?;
            Ok(with_outcome(score, of.episode.outcome))
        }
        Err(error) => Err(error.to_string().into()),
    };
    played.iter().map(score).collect()
}

fn with_outcome(mut score: TaskScore, outcome: Option<f64>) -> TaskScore {
    if let Some(outcome) = outcome {
        score.total += outcome;
        score.components.insert(Episode::OUTCOME.to_owned(), outcome);
    }
    score
}
