//! Evaluation of a policy on held-out tasks, by the recipe's rubric at its fixed context.

use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_engine::Engine;
use toolrl_eval::{Evaluation, HeldOut, TaskScore, evaluate};
use toolrl_grammar::parse;
use toolrl_policy::Policy;
use toolrl_reward::{Context, Reference, Rubric};

use crate::{Observer, TrainError};

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
    observer.begin("evaluate", samples.len() as u64);
    let score = |sample: &Sample, reply: &str| -> Result<TaskScore, toolrl_eval::ScoreError> {
        let reference = Reference::parse(&sample.gold)?;
        let score = rubric.score(&parse(reply), &reference, &Context::evaluation())?;
        Ok(TaskScore { total: score.total, components: score.metrics().collect() })
    };
    let evaluation =
        evaluate(&mut engine, &held_out, score, |done, _| observer.progress(done as u64, "")).await;
    observer.end();
    Ok(evaluation?)
}
