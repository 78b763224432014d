//! Groups of episodes, played side by side.

use std::sync::Arc;

use futures_util::future::join_all;
use toolrl_chat::Chat;
use toolrl_data::Sample;

use crate::{
    Answer, Dialogue, Ended, Environment, Episode, FinishReason, Group, Prompt, Request, RolloutError,
    Sampled, Sampler, SamplingParams, Session, StreamKey,
};

/// How episodes are played.
#[derive(Clone, Copy)]
pub struct Play<'a> {
    /// Renders and tokenises.
    pub chat: &'a Chat,
    /// What answers.
    pub environment: &'a dyn Environment,
    /// How tokens are drawn.
    pub params: &'a SamplingParams,
    /// Where the random numbers come from.
    pub key: StreamKey,
    /// Turns of the policy in an episode, at most.
    pub max_turns: usize,
    /// Tokens that the policy's context holds, prompt and new ones together.
    pub context: usize,
}

/// A member's episode under way.
struct Open<'a> {
    group: usize,
    id: &'a str,
    dialogue: Dialogue,
    session: Box<dyn Session + 'a>,
}

/// What comes of an answer.
enum Next<'a> {
    Turn(Open<'a>),
    Ended(usize, Episode),
}

/// Plays `members` episodes of each prompt, `samples[prompt.task]` being its task. In each round the sampler is asked for
/// one turn of every open episode; a group's first turns share the computation of its prompt. The groups have the order
/// of the prompts. A prompt that leaves no room in the policy's context has episodes without a turn.
///
/// # Errors
/// [`RolloutError`] of the sampler, the environment or the chat.
pub async fn play<'s>(
    sampler: &mut dyn Sampler,
    prompts: &[Arc<Prompt>],
    samples: impl Fn(&Prompt) -> &'s Sample,
    members: usize,
    how: &Play<'s>,
) -> Result<Vec<Group<Episode>>, RolloutError> {
    let mut groups: Vec<Vec<Episode>> = prompts.iter().map(|_| Vec::with_capacity(members)).collect();
    let (fit, too_long): (Vec<_>, Vec<_>) =
        prompts.iter().enumerate().partition(|(_, prompt)| prompt.tokens.len() < how.context);
    for (group, _) in too_long {
        groups[group].extend((0..members).map(Episode::without_turn));
    }
    let requests: Vec<_> = fit.iter().map(|(_, prompt)| Request::first(prompt, members)).collect();
    let mut turns = sampled(sampler, &requests, how).await?;
    let mut open = begin(&fit, samples, members, how).await?;
    while !open.is_empty() {
        let answered =
            join_all(open.into_iter().zip(turns).map(|(open, turn)| answer(open, turn, how))).await;
        open = Vec::new();
        for next in answered {
            match next? {
                Next::Turn(still) => open.push(still),
                Next::Ended(group, episode) => groups[group].push(episode),
            }
        }
        let requests: Vec<_> = open.iter().map(|o| o.dialogue.request()).collect();
        turns = sampled(sampler, &requests, how).await?;
    }
    let group = |(prompt, mut members): (&Arc<Prompt>, Vec<Episode>)| {
        members.sort_by_key(|episode| episode.member);
        Group { prompt: prompt.clone(), members }
    };
    Ok(prompts.iter().zip(groups).map(group).collect())
}

/// A turn for each member of each request, in order.
async fn sampled(
    sampler: &mut dyn Sampler,
    requests: &[Request<'_>],
    how: &Play<'_>,
) -> Result<Vec<Sampled>, RolloutError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let turns = sampler.sample(requests, how.params, how.key).await?;
    let asked = requests.iter().map(|request| request.members.len()).sum();
    let given = turns.iter().map(Vec::len).sum();
    let fits = turns.len() == requests.len()
        && turns.iter().zip(requests).all(|(turns, request)| turns.len() == request.members.len());
    if !fits {
        return Err(RolloutError::Turns { asked, given });
    }
    Ok(turns.into_iter().flatten().collect())
}

/// The episodes of all groups before their first turn.
async fn begin<'s>(
    prompts: &[(usize, &Arc<Prompt>)],
    samples: impl Fn(&Prompt) -> &'s Sample,
    members: usize,
    how: &Play<'s>,
) -> Result<Vec<Open<'s>>, RolloutError> {
    let open = |(group, prompt, member): (usize, &Arc<Prompt>, usize)| {
        let (sample, dialogue) = (samples(prompt), Dialogue::new(prompt.clone(), member));
        async move {
            let session = how.environment.begin(sample).await;
            let session =
                session.map_err(|source| RolloutError::Environment { id: sample.id.clone(), source })?;
            Ok(Open { group, id: &sample.id, dialogue, session })
        }
    };
    let places = prompts.iter().flat_map(|&(g, prompt)| (0..members).map(move |m| (g, prompt, m)));
    join_all(places.map(open)).await.into_iter().collect()
}

/// Hands a turn to the environment, and its answer to the episode.
async fn answer<'a>(mut open: Open<'a>, turn: Sampled, how: &Play<'_>) -> Result<Next<'a>, RolloutError> {
    let failed = |id: &str, source| RolloutError::Environment { id: id.to_owned(), source };
    let finish = turn.finish;
    let reply = open.dialogue.push_turn(how.chat, turn, how.params)?;
    let answer = open.session.answer(reply).await.map_err(|source| failed(open.id, source))?;
    let ended = match answer {
        Answer::End if finish == FinishReason::Length => Ended::Cut,
        Answer::End => Ended::Closed,
        Answer::Retold(_) => return Err(RolloutError::Retold { id: open.id.to_owned() }),
        Answer::Messages(_) if open.dialogue.replies().len() >= how.max_turns => Ended::OutOfTurns,
        Answer::Messages(messages) => {
            open.dialogue.push_messages(how.chat, messages)?;
            if open.dialogue.request().tokens.len() < how.context {
                return Ok(Next::Turn(open));
            }
            Ended::OutOfContext
        }
    };
    let outcome = open.session.close().await.map_err(|source| failed(open.id, source))?;
    Ok(Next::Ended(open.group, open.dialogue.end(ended, outcome)))
}
