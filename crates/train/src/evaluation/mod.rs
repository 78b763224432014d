//! Evaluation of a policy on held-out tasks, by the recipe's rubric at its fixed context.

mod benchmarks;
mod sets;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_eval::{EvalReport, Evaluation, HeldOut, Outcome, evaluate};
use toolrl_policy::Policy;

use crate::{MixPart, Observer, Parts, Recipe, TrainError};

pub(crate) use benchmarks::{Evaluated, LoadedBenchmark};
pub(crate) use sets::LoadedSet;

/// What observers hear of as the stage of an evaluation.
pub(crate) const EVALUATE: &str = "evaluate";

/// A policy with its chat.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its directory, for the report.
    pub name: &'a str,
    /// Its weights.
    pub policy: &'a Policy,
    /// Its template and tokenizer.
    pub chat: &'a Chat,
    /// The steps that made it.
    pub version: u64,
}

/// Greedy and sampled episodes of the samples, scored, as a recipe evaluates.
///
/// # Errors
/// [`TrainError::Eval`].
pub async fn evaluate_policy(
    subject: Subject<'_>,
    samples: &[Sample],
    (recipe, parts): (&Recipe, &Parts),
    observer: &mut dyn Observer,
) -> Result<Evaluation, TrainError> {
    let mut sampler = parts.sampler.at(subject.policy, subject.chat, subject.version)?;
    let context = subject.policy.config().max_positions;
    let context = parts.sampler.context().map_or(context, |there| there.min(context));
    let held_out = HeldOut {
        policy: subject.name,
        chat: subject.chat,
        environment: &*parts.environment,
        samples,
        rubric: parts.rubrics.of_evaluation(),
        sampling: &recipe.sampling.greedily(recipe.eval.max_new_tokens),
        max_turns: recipe.environment.max_turns,
        context,
        cut_prompts_to: recipe.train.cut_prompts_to(context),
        batch_size: recipe.slots * 4,
        sampled: recipe.eval.draws(&recipe.sampling, recipe.seed),
    };
    observer.begin(EVALUATE, samples.len() as u64);
    let evaluation = evaluate(&mut *sampler, &held_out, |done, _| observer.progress(done as u64, "")).await;
    observer.end();
    let evaluation = evaluation?;
    for (term, count) in &evaluation.report.overall.failures {
        tracing::warn!("evaluation: reward term {term:?} failed on {count} of {} replies", samples.len());
    }
    if let Some(error) = evaluation.outcomes.iter().find_map(|outcome| outcome.greedy.error.as_ref()) {
        let without = evaluation.report.overall.errors;
        tracing::warn!("evaluation: {without} of {} replies have no reward: {error}", samples.len());
    }
    if let Some(first) = evaluation.outcomes.iter().find(|outcome| outcome.greedy.overlong) {
        tracing::warn!(
            "evaluation: the prompts of {} of {} tasks leave no room in the policy's context of {} tokens and count as \
             unanswered; the first is sample {}",
            evaluation.report.overall.overlong,
            samples.len(),
            context,
            first.id
        );
    }
    let report = report_of(subject.name, &evaluation.outcomes, recipe);
    Ok(Evaluation { report, ..evaluation })
}

/// The report on a policy with these outcomes: by source too, where the recipe's data has several.
pub(crate) fn report_of(policy: &str, outcomes: &[Outcome], recipe: &Recipe) -> EvalReport {
    let sources = recipe.data.mix().iter().map(MixPart::name);
    EvalReport::of(policy, outcomes).with_sources(sources, outcomes)
}
