//! Greedy and sampled replies to held-out tasks.

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_reward::Rubric;
use toolrl_rollout::{Environment, Sampler, SamplingParams};

use crate::replies::replies;
use crate::{EvalError, EvalReport, Outcome};

/// What a policy is evaluated on.
#[derive(Clone)]
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
    /// What ends a turn; tokens are drawn greedily, whatever it says of that.
    pub sampling: &'a SamplingParams,
    /// The limit on turns.
    pub max_turns: usize,
    /// Tokens that the policy's context holds.
    pub context: usize,
    /// Prompts lose their beginning beyond so many tokens; none does where it is none.
    pub cut_prompts_to: Option<usize>,
    /// Prompts handed to the sampler at a time; 0 is read as 1. It changes no outcome.
    pub batch_size: usize,
    /// Replies that are sampled beside the greedy one; none where it is none.
    pub sampled: Option<Draws>,
}

/// Replies to a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// How many.
    pub replies: usize,
    /// How their tokens are drawn.
    pub params: SamplingParams,
    /// Their random numbers follow from it, the task, the reply and the position: each policy has the same ones, after
    /// whatever step it is evaluated.
    pub seed: u64,
}

/// The report and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Means.
    pub report: EvalReport,
    /// One per task, in the order of the samples.
    pub outcomes: Vec<Outcome>,
}

/// Plays one greedy episode of each task, and the sampled ones that are asked for, and scores them.
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
    // Greedy decoding draws no random number, so any seed does.
    let params = held_out.sampling.greedily(held_out.sampling.max_new_tokens);
    let greedy = Draws { replies: 1, params, seed: 0 };
    let mut outcomes = Vec::with_capacity(samples.len());
    for batch in samples.chunks(held_out.batch_size.max(1)) {
        let tasks = (batch, outcomes.len());
        let greedy = replies(sampler, held_out, tasks, &greedy).await?.into_iter().flatten();
        let mut sampled = match &held_out.sampled {
            Some(sampled) => replies(sampler, held_out, tasks, sampled).await?.into_iter(),
            None => Vec::new().into_iter(),
        };
        let of_task = |(sample, greedy)| Outcome::new(sample, greedy, sampled.next().unwrap_or_default());
        outcomes.extend(batch.iter().zip(greedy).map(of_task));
        progress(outcomes.len(), samples.len());
    }
    let report = EvalReport::of(held_out.policy, &outcomes);
    Ok(Evaluation { report, outcomes })
}
