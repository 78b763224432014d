//! Greedy replies to held-out tasks.

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_rollout::{Group, Sampler, SamplingParams, StreamKey, prompt_of_sample};

use crate::{EvalError, EvalReport, Outcome, ScoreError, TaskScore};

/// What a policy is evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut<'a> {
    /// The policy's directory, for the report.
    pub policy: &'a str,
    /// Renders the tasks' messages.
    pub chat: &'a Chat,
    /// The tasks.
    pub samples: &'a [Sample],
    /// The limit on new tokens of a reply.
    pub max_new_tokens: usize,
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

/// Asks a policy for one greedy reply to each task, and scores it.
///
/// # Arguments
/// - `score`: the rewards of some replies, in their order; they must not depend on a training step. An error
///   counts as a task without a reward.
/// - `progress`: told the number of tasks done and of all tasks, after each batch.
///
/// # Errors
/// [`EvalError`] without a task, when a prompt cannot be rendered, and when the sampler fails.
pub async fn evaluate<S: Sampler>(
    sampler: &mut S,
    held_out: &HeldOut<'_>,
    mut score: impl AsyncFnMut(&[(&Sample, &str)]) -> Vec<Result<TaskScore, ScoreError>>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Evaluation, EvalError> {
    let samples = held_out.samples;
    if samples.is_empty() {
        return Err(EvalError::NoTasks);
    }
    let mut outcomes = Vec::with_capacity(samples.len());
    for batch in samples.chunks(held_out.batch_size.max(1)) {
        let groups = replies(sampler, held_out, batch, outcomes.len()).await?;
        let found = groups.iter().filter(|g| g.trajectories.len() == 1).count();
        if (found, groups.len()) != (batch.len(), batch.len()) {
            return Err(EvalError::Replies { expected: batch.len(), found });
        }
        let replies = groups.iter().flat_map(|group| &group.trajectories);
        let pairs: Vec<_> = batch.iter().zip(replies.clone()).map(|(s, t)| (s, t.text.as_str())).collect();
        let scores = score(&pairs).await;
        if scores.len() != batch.len() {
            return Err(EvalError::Scores { expected: batch.len(), found: scores.len() });
        }
        let scored = batch.iter().zip(replies).zip(scores);
        outcomes.extend(scored.map(|((sample, reply), score)| Outcome::of(sample, reply, score)));
        progress(outcomes.len(), samples.len());
    }
    let report = EvalReport::of(held_out.policy, &outcomes);
    Ok(Evaluation { report, outcomes })
}

/// One greedy reply to each sample, the first of which is number `first` of all.
async fn replies<S: Sampler>(
    sampler: &mut S,
    held_out: &HeldOut<'_>,
    samples: &[Sample],
    first: usize,
) -> Result<Vec<Group>, EvalError> {
    let prompts = (first as u64..)
        .zip(samples)
        .map(|(index, sample)| prompt_of_sample(held_out.chat, sample, index))
        .collect::<Result<Vec<_>, _>>()?;
    // Greedy decoding draws no random number, so any key does.
    let key = StreamKey { seed: 0, step: 0 };
    let params = SamplingParams::greedy(held_out.max_new_tokens);
    Ok(sampler.sample(&prompts, 1, &params, key).await?)
}
