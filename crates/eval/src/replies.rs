//! Replies to tasks, played and scored.

use std::sync::Arc;

use toolrl_data::Sample;
use toolrl_reward::Reference;
use toolrl_rollout::{Episode, Group, Play, Prompt, RolloutError, Sampler, StreamKey, play};

use crate::score::{Played, scores};
use crate::{Draws, EvalError, HeldOut, ReplyOutcome};

/// The replies to each of some tasks, the first of which is number `first` of all.
pub(crate) async fn replies(
    sampler: &mut dyn Sampler,
    held_out: &HeldOut<'_>,
    (samples, first): (&[Sample], usize),
    how: &Draws,
) -> Result<Vec<Vec<ReplyOutcome>>, EvalError> {
    let groups = episodes(sampler, held_out, (samples, first), how).await?;
    let dialect = held_out.chat.dialect();
    let references: Vec<_> = samples.iter().map(|s| Reference::of_task(&s.gold, dialect, &s.tools)).collect();
    let tasks = samples.iter().zip(&references).zip(&groups);
    let played: Vec<_> = tasks
        .flat_map(|((sample, gold), group)| {
            group.members.iter().map(move |episode| Played { sample, episode, gold })
        })
        .collect();
    let mut scores = scores(held_out.rubric, &played).await.into_iter();
    let of_reply = |of: Played<'_>| {
        let score = scores.next().unwrap_or_else(|| Err("no score".into()));
        ReplyOutcome::of(of, dialect, score)
    };
    let outcomes: Vec<_> = played.into_iter().map(of_reply).collect();
    Ok(outcomes.chunks(how.replies.max(1)).map(<[_]>::to_vec).collect())
}

/// The episodes of each task.
async fn episodes(
    sampler: &mut dyn Sampler,
    held_out: &HeldOut<'_>,
    (samples, first): (&[Sample], usize),
    how: &Draws,
) -> Result<Vec<Group<Episode>>, EvalError> {
    let HeldOut { chat, environment, max_turns, context, cut_prompts_to, .. } = *held_out;
    let prompt = |(task, sample): (usize, &Sample)| {
        let prompt = Prompt::of_sample(chat, environment, sample, task)?;
        let prompt = prompt.keep_last(chat, cut_prompts_to.unwrap_or(usize::MAX))?;
        Ok(Arc::new(Prompt { index: (first + task) as u64, ..prompt }))
    };
    let prompts = samples.iter().enumerate().map(prompt).collect::<Result<Vec<_>, RolloutError>>()?;
    // No step of training, which begin with 1, draws by this key.
    let key = StreamKey { seed: how.seed, step: 0 };
    let how_played = Play { chat, environment, params: &how.params, key, max_turns, context };
    Ok(play(sampler, &prompts, |prompt| &samples[prompt.task], how.replies, &how_played).await?)
}
