//! What the steps of GRPO and PPO share: sampling and scoring, log-probabilities, updates, metrics.

mod metrics;
mod reply;
pub(crate) mod spans;
mod update;

use std::collections::HashMap;
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::random::GAMMA;
use toolrl_engine::Engine;
use toolrl_policy::Policy;
use toolrl_reward::Rubric;
use toolrl_rollout::{Prompt, Sampler, StreamKey};

pub(crate) use metrics::Laps;
pub(crate) use reply::{Credit, Credited, Measured};
pub(crate) use update::Updates;

use crate::learner::Learner;
use crate::order::batch;
use crate::pack::{Pack, PackGroup, pack};
use crate::score::{Scored, score};
use crate::task::Task;
use crate::{Recipe, RlConfig, TrainError};

/// What a policy is trained with.
pub(crate) struct Rl<'a> {
    pub recipe: &'a Recipe,
    pub config: &'a RlConfig,
    pub group_size: usize,
    pub tasks: &'a [Task],
    pub chat: Arc<Chat>,
    pub rubric: &'a Rubric,
    /// The frozen reference, where the loss or the reward has a divergence.
    pub reference: Option<Policy>,
}

impl Rl<'_> {
    /// Samples a group for each prompt of a step (from 1) and scores it. Each round of a step takes other prompts.
    pub(crate) async fn sample(
        &self,
        policy: &Policy,
        step: u64,
        round: u64,
    ) -> Result<Vec<Vec<Scored>>, TrainError> {
        // Rounds are apart like seeds are, so that what a step samples depends on nothing but its number.
        let seed = self.recipe.seed.wrapping_add(round.wrapping_mul(GAMMA));
        let positions = batch(seed, step - 1, self.config.prompts, self.tasks.len());
        let prompts = prompts(&positions, self.tasks);
        let mut engine = Engine::new(policy, Some(self.chat.clone()), self.recipe.slots);
        let key = StreamKey { seed, step };
        let groups = engine.sample(&prompts, self.group_size, &self.recipe.sampling, key).await;
        let groups = groups.map_err(|source| TrainError::Sample { step, source })?;
        score(groups, self.tasks, &positions, self.rubric, (step, self.config.steps)).await
    }

    /// Adds what the update needs to know of each reply before it is credited. `scored` holds whole groups.
    pub(crate) fn measure(&self, learner: &Learner, scored: Vec<Scored>) -> Vec<Measured> {
        let of = |policy: &Policy| {
            by_reply(&self.packs(&scored, |_| true), scored.len(), |pack| {
                learner.logprobs_under(policy, pack)
            })
        };
        let mut reference = self.reference.as_ref().map(of);
        // The sampler's own log-probabilities are the trainer's to the rounding of a sum, unless told otherwise.
        let mut old = self.config.loss.sampler_ratio_cap.map(|_| of(learner.policy()));
        let max_tokens = self.recipe.sampling.max_new_tokens;
        let measured = |(number, scored): (usize, Scored)| {
            let take = |all: &mut Option<Vec<Vec<f32>>>| all.as_mut().map(|a| std::mem::take(&mut a[number]));
            let (ref_logp, old_logp) = (take(&mut reference), take(&mut old));
            Measured::new(scored, old_logp, ref_logp, self.config, max_tokens)
        };
        scored.into_iter().enumerate().map(measured).collect()
    }

    /// Packs of the replies of whole groups that `include` takes, each under its place among `replies`.
    pub(crate) fn packs<R: AsRef<Scored>>(&self, replies: &[R], include: impl Fn(&R) -> bool) -> Vec<Pack> {
        let mut groups = Vec::new();
        for (g, members) in replies.chunks(self.group_size).enumerate() {
            let numbered = members.iter().enumerate().map(|(m, reply)| (g * self.group_size + m, reply));
            let taken = numbered.filter(|(_, reply)| include(reply));
            let replies: Vec<_> =
                taken.map(|(number, reply)| (number, reply.as_ref().trajectory.tokens.as_slice())).collect();
            if !replies.is_empty() {
                let prompt = &self.tasks[members[0].as_ref().task].prompt.tokens;
                groups.push(PackGroup { prompt, replies });
            }
        }
        pack(&groups, self.config.micro_tokens)
    }
}

/// The prompts of these tasks. A task that comes again in a step, where a step has more prompts than there are tasks, has
/// another index each time: the replies to it are others.
fn prompts(positions: &[usize], tasks: &[Task]) -> Vec<Prompt> {
    let mut times = HashMap::new();
    let prompt = |&position: &usize| {
        let earlier = times.entry(position).or_insert(0);
        let prompt = &tasks[position].prompt;
        let index = prompt.index + *earlier * tasks.len() as u64;
        *earlier += 1;
        Prompt { index, ..prompt.clone() }
    };
    positions.iter().map(prompt).collect()
}

/// Numbers of every token, reply by reply, out of those of each pack's tokens.
pub(crate) fn by_reply(
    packs: &[Pack],
    replies: usize,
    mut of_pack: impl FnMut(&Pack) -> Vec<f32>,
) -> Vec<Vec<f32>> {
    let mut all = vec![Vec::new(); replies];
    for pack in packs {
        let numbers = of_pack(pack);
        let mut rest = numbers.as_slice();
        for &(number, len) in &pack.replies {
            let (own, others) = rest.split_at(len);
            all[number] = own.to_vec();
            rest = others;
        }
    }
    all
}
