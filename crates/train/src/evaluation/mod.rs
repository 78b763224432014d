//! Evaluation of a policy on held-out tasks, by the recipe's rubric at its fixed context.

mod benchmarks;

use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_engine::Engine;
use toolrl_eval::{Evaluation, HeldOut, ScoreError, TaskScore, evaluate};
use toolrl_grammar::parse;
use toolrl_policy::Policy;
use toolrl_reward::{Context, Reference, RewardError, Rubric};

use crate::{Observer, TrainError};

pub(crate) use benchmarks::{Evaluated, LoadedBenchmark};

/// What observers hear of as the stage of an evaluation.
pub(crate) const EVALUATE: &str = "evaluate";

/// How a policy is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct EvalSettings<'a> {
    /// Its directory, for the report.
    pub name: &'a str,
    /// The limit on new tokens of a reply.
    pub max_new_tokens: usize,
    /// Replies decoded together, at most.
    pub slots: usize,
}

/// Greedy replies to the samples, scored.
///
/// # Errors
/// [`TrainError::Eval`].
pub async fn evaluate_policy(
    policy: &Policy,
    chat: &Arc<Chat>,
    samples: &[Sample],
    rubric: &Rubric,
    settings: &EvalSettings<'_>,
    observer: &mut dyn Observer,
) -> Result<Evaluation, TrainError> {
    let held_out = HeldOut {
        policy: settings.name,
        chat,
        samples,
        max_new_tokens: settings.max_new_tokens,
        batch_size: settings.slots * 4,
    };
    let mut engine = Engine::new(policy, Some(chat.clone()), settings.slots);
    observer.begin(EVALUATE, samples.len() as u64);
    let score = async |replies: &[(&Sample, &str)]| scores(rubric, replies).await;
    let evaluation =
        evaluate(&mut engine, &held_out, score, |done, _| observer.progress(done as u64, "")).await;
    observer.end();
    let evaluation = evaluation?;
    for (term, count) in &evaluation.report.overall.failures {
        tracing::warn!("evaluation: reward term {term:?} failed on {count} of {} replies", samples.len());
    }
    if let Some(error) = evaluation.outcomes.iter().find_map(|outcome| outcome.error.as_ref()) {
        let without = evaluation.report.overall.errors;
        tracing::warn!("evaluation: {without} of {} replies have no reward: {error}", samples.len());
    }
    Ok(evaluation)
}

/// The rewards of some replies.
async fn scores(rubric: &Rubric, replies: &[(&Sample, &str)]) -> Vec<Result<TaskScore, ScoreError>> {
    let references: Vec<_> = replies.iter().map(|(sample, _)| Reference::parse(&sample.gold)).collect();
    let pairs = replies.iter().zip(&references);
    let readable: Vec<_> =
        pairs.filter_map(|((_, reply), gold)| Some((parse(*reply), gold.as_ref().ok()?))).collect();
    let mut scores = rubric.score_batch(&readable, &Context::evaluation()).await.into_iter();
    let score = |gold: &Result<Reference, RewardError>| match gold {
        Ok(_) => scores.next().ok_or("no score")??.try_into(),
        Err(error) => Err(error.to_string().into()),
    };
    references.iter().map(score).collect()
}
