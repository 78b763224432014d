//! Greedy episodes of held-out tasks.

use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_reward::{Reference, Rubric};
use toolrl_rollout::{
    Environment, Episode, Group, Play, Prompt, RolloutError, Sampler, SamplingParams, StreamKey, play,
};

use crate::score::scores;
use crate::{EvalError, EvalReport, Outcome, reference};

/// What a policy is evaluated on.
#[derive(Clone, Copy)]
pub struct HeldOut<'a> {
    /// The policy's directory, for the report.
    pub policy: &'a str,
    /// Renders the tasks' messages.
    pub chat: &'a Chat,
    /// Opens the tasks, and answers.
    pub environment: &'a dyn Environment,
    /// The tasks.
    pub samples: &'a [Sample],
    /// The reward.
    pub rubric: &'a Rubric,
    /// The limit on new tokens of a turn.
    pub max_new_tokens: usize,
    /// The limit on turns.
    pub max_turns: usize,
    /// Tokens that the policy's context holds.
    pub context: usize,
    /// Prompts lose their beginning beyond so many tokens; none does where it is none.
    pub cut_prompts_to: Option<usize>,
    /// Prompts handed to the sampler at a time; 0 is read as 1. It changes no outcome.
    pub batch_size: usize,
}

/// The report and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Means.
    pub report: EvalReport,
    /// One per task, in the order of the samples.
    pub outcomes: Vec<Outcome>,
}

/// Plays one greedy episode of each task, and scores it.
///
/// # Arguments
/// - `progress`: told the number of tasks done and of all tasks, after each batch.
///
/// # Errors
/// [`EvalError`] without a task, when a prompt cannot be rendered, and when the sampler or the environment fails.
pub async fn evaluate(
    sampler: &mut dyn Sampler,
    held_out: &HeldOut<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Evaluation, EvalError> {
    let samples = held_out.samples;
    if samples.is_empty() {
        return Err(EvalError::NoTasks);
    }
    let mut outcomes = Vec::with_capacity(samples.len());
    for batch in samples.chunks(held_out.batch_size.max(1)) {
        let groups = episodes(sampler, held_out, batch, outcomes.len()).await?;
        let played: Vec<_> = batch.iter().zip(groups.iter().flat_map(|group| &group.members)).collect();
        let dialect = held_out.chat.dialect();
        let references: Vec<_> = played.iter().map(|(sample, _)| reference(sample, dialect)).collect();
        let scores = scores(held_out.rubric, &played, &references).await;
        let scored = played.into_iter().zip(&references).zip(scores);
        let outcome = |((of, gold), score): ((_, &Result<Reference, _>), _)| {
            Outcome::of(of, gold.as_ref().ok(), dialect, score)
        };
        outcomes.extend(scored.map(outcome));
        progress(outcomes.len(), samples.len());
    }
    let report = EvalReport::of(held_out.policy, &outcomes);
    Ok(Evaluation { report, outcomes })
}

/// One greedy episode of each sample, the first of which is number `first` of all.
async fn episodes(
    sampler: &mut dyn Sampler,
    held_out: &HeldOut<'_>,
    samples: &[Sample],
    first: usize,
) -> Result<Vec<Group<Episode>>, EvalError> {
    let HeldOut { chat, environment, max_new_tokens, max_turns, context, cut_prompts_to, .. } = *held_out;
    let prompt = |(task, sample): (usize, &Sample)| {
        let prompt = Prompt::of_sample(chat, environment, sample, task)?;
        let prompt = prompt.keep_last(chat, cut_prompts_to.unwrap_or(usize::MAX))?;
        Ok(Arc::new(Prompt { index: (first + task) as u64, ..prompt }))
    };
    let prompts = samples.iter().enumerate().map(prompt).collect::<Result<Vec<_>, RolloutError>>()?;
    // Greedy decoding draws no random number, so any key does.
    let key = StreamKey { seed: 0, step: 0 };
    let params = SamplingParams::greedy(max_new_tokens);
    let how = Play { chat, environment, params, key, max_turns, context };
    Ok(play(sampler, &prompts, |prompt| &samples[prompt.task], 1, &how).await?)
}
