//! What the steps of GRPO and PPO share: sampling and scoring, log-probabilities, updates, metrics.

mod ahead;
mod divergence;
mod member;
mod metrics;
mod replies;
mod sampling;
pub(crate) mod spans;
mod update;

use std::collections::HashMap;
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_policy::Policy;
use toolrl_record::StepMetrics;
use toolrl_reward::Rubric;
use toolrl_rollout::{Group, Prompt, SamplerSource};

pub(crate) use ahead::Supply;
pub(crate) use divergence::Divergence;
pub(crate) use member::{Credit, Credited, Measured};
pub(crate) use metrics::Laps;
pub(crate) use replies::Replies;
pub(crate) use sampling::Sampled;
pub(crate) use update::Updates;

use crate::learner::Learner;
use crate::pack::{Member, Pack, PackGroup, Place, by_place, pack_for};
use crate::score::{Judge, Scored};
use crate::task::Task;
use crate::{GroupFilter, Recipe, RlConfig, Setting};

/// What a policy is trained with.
pub(crate) struct Rl<'a> {
    pub recipe: &'a Recipe,
    pub config: &'a RlConfig,
    pub group_size: usize,
    pub tasks: &'a [Task],
    pub chat: Arc<Chat>,
    pub rubric: &'a Rubric,
    pub sampler: &'a dyn SamplerSource<Policy>,
    pub setting: Setting<'a>,
    /// The reference, where the loss or the reward has a divergence, and how strongly it holds.
    pub divergence: Divergence,
    /// Who says which replies succeeded, where anything is chosen by that.
    pub judge: Option<Judge>,
    /// Which groups are trained on.
    pub groups: GroupFilter,
    /// Tokens that the policy's context holds.
    pub context: usize,
    /// Where replies are written down before they are learned from, and read; none where sampling again gives the same.
    pub replies: Option<Replies>,
}

impl Rl<'_> {
    /// Adds what the update needs to know of each member before it is credited.
    pub(crate) fn measure(&self, learner: &Learner, scored: Vec<Group<Scored>>) -> Vec<Group<Measured>> {
        let of = |policy: &Policy| {
            let shape = scored.iter().map(|group| group.members.len());
            by_place(&self.packs(&scored, |_| true), shape, |pack| learner.logprobs_under(policy, pack))
        };
        let mut reference = self.divergence.reference.as_ref().map(of);
        let config = self.divergence.present(self.config);
        // The sampler's own log-probabilities are the trainer's to the rounding of a sum, unless told otherwise.
        let mut old = self.config.loss.sampler_ratio_cap.map(|_| of(learner.policy()));
        let max_tokens = self.recipe.sampling.max_new_tokens;
        let measured = |(g, group): (usize, Group<Scored>)| {
            let mut members = 0..;
            group.map(|scored| {
                let m = members.next().unwrap_or_default();
                let take =
                    |all: &mut Option<Vec<Vec<Vec<f32>>>>| all.as_mut().map(|a| std::mem::take(&mut a[g][m]));
                let (ref_logp, old_logp) = (take(&mut reference), take(&mut old));
                Measured::new(scored, old_logp, ref_logp, &config, max_tokens)
            })
        };
        scored.into_iter().enumerate().map(measured).collect()
    }

    /// What follows the policy follows it to the end of a step.
    pub(crate) fn end_step(&mut self, metrics: &StepMetrics, learner: &Learner) {
        if let Some(replies) = metrics.detail.sampled() {
            let of_step = (replies, replies.groups * self.group_size);
            self.divergence.end_step(metrics.step, (self.config, learner.policy()), of_step);
        }
    }

    /// Packs of the members that `include` takes, each under its place among the groups.
    pub(crate) fn packs<'g, T: AsRef<Scored> + 'g>(
        &self,
        groups: impl IntoIterator<Item = &'g Group<T>>,
        include: impl Fn(&T) -> bool,
    ) -> Vec<Pack> {
        let groups: Vec<_> =
            (0..).zip(groups).map(|(number, group)| to_pack(number, group, &include)).collect();
        pack_for(self.recipe.devices, &groups, self.config.micro_tokens)
    }
}

/// Those members of a group that `include` takes, as they are packed.
fn to_pack<'g, T: AsRef<Scored>>(
    number: usize,
    group: &'g Group<T>,
    include: impl Fn(&T) -> bool,
) -> PackGroup<'g> {
    let taken = group.members.iter().enumerate().filter(|(_, member)| include(member));
    let member = |(member, of): (usize, &'g T)| {
        let episode = &of.as_ref().episode;
        Member { place: Place { group: number, member }, tokens: &episode.tokens, targets: episode.turns() }
    };
    PackGroup { prompt: &group.prompt.tokens, members: taken.map(member).collect() }
}

/// The prompts of these tasks. A task that comes again in a step, where a step has more prompts than there are tasks, has
/// another index each time: the replies to it are others.
fn prompts(positions: &[usize], tasks: &[Task]) -> Vec<Arc<Prompt>> {
    let mut times = HashMap::new();
    let prompt = |&position: &usize| {
        let prompt = &tasks[position].prompt;
        let earlier = times.entry(position).or_insert(0);
        *earlier += 1;
        match *earlier - 1 {
            0 => prompt.clone(),
            again => {
                let index = prompt.index + again * tasks.len() as u64;
                Arc::new(Prompt { index, ..Prompt::clone(prompt) })
            }
        }
    };
    positions.iter().map(prompt).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
