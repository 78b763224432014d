//! The replies of a step: sampled, or read where they were written down, and scored, until there are enough.

use std::sync::Arc;

use toolrl_grpo::{has_mixed_outcome, has_no_spread};
use toolrl_policy::{Activations, Policy};
use toolrl_rollout::{Episode, Group, Play, Prompt, RolloutError, Sampler, StreamKey, play};

use super::replies::Reading;
use super::{Rl, prompts};
use crate::curriculum::Curriculum;
use crate::score::{Scored, score};
use crate::task::Task;
use crate::{GroupFilter, Setting, TrainError};

/// The groups of a step.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    /// Those that are trained on.
    pub used: Vec<Group<Scored>>,
    /// The others.
    pub left_out: Vec<Group<Scored>>,
}

/// Whom a step's replies are of.
pub(super) enum Speaker<'p> {
    /// A policy of so many steps, whose sampler is made when it is first asked.
    Policy(&'p Policy, u64),
    /// A sampler that is there.
    Sampler(Box<dyn Sampler + 'p>),
}

/// A round of a step whose tasks are drawn.
pub(super) struct Drawn {
    /// The step, from 1, and the round, from 0.
    pub at: (u64, u64),
    pub prompts: Vec<Arc<Prompt>>,
    key: StreamKey,
}

impl Rl<'_> {
    /// The tasks of a round.
    pub(super) fn draw(&self, curriculum: &mut Curriculum, (step, round): (u64, u64)) -> Drawn {
        let seed = curriculum.seed_of(round);
        let positions = curriculum.draw(step, round);
        let key = StreamKey { seed, step };
        Drawn { at: (step, round), prompts: prompts(&positions, self.tasks), key }
    }

    /// All rounds of a step, of which the first is drawn, and perhaps played. Each round takes other prompts.
    pub(super) async fn rounds<'p>(
        &'p self,
        mut speaker: Speaker<'p>,
        curriculum: &mut Curriculum,
        (mut drawn, mut played): (Drawn, Option<Vec<Group<Episode>>>),
    ) -> Result<Sampled, TrainError> {
        let (step, mut sampled) = (drawn.at.0, Sampled::default());
        loop {
            let groups = match played.take() {
                Some(groups) => groups,
                None => self.heard(&mut speaker, &drawn).await?,
            };
            let by = (self.rubric, self.judge);
            let scored = score(groups, self.tasks, by, (step, self.config.steps)).await?;
            curriculum.learn(step, &scored);
            for group in scored {
                let used = self.is_of_use(&group) && sampled.used.len() < self.config.prompts;
                if used { &mut sampled.used } else { &mut sampled.left_out }.push(group);
            }
            let next = drawn.at.1 + 1;
            if sampled.used.len() >= self.config.prompts || next >= self.groups.rounds() {
                return Ok(sampled);
            }
            drawn = self.draw(curriculum, (step, next));
        }
    }

    /// The episodes of a round: those that are written down, or else new ones, which are then written down.
    async fn heard<'p>(
        &'p self,
        speaker: &mut Speaker<'p>,
        drawn: &Drawn,
    ) -> Result<Vec<Group<Episode>>, TrainError> {
        if let Some(groups) = self.recorded(drawn)? {
            return Ok(groups);
        }
        if let Speaker::Policy(policy, version) = *speaker {
            if self.config.activations == Activations::Keep {
                policy.keep_prompts(self.config.kept_prompts_mib.saturating_mul(1 << 20));
            }
            let sampler = self.sampler.at(policy, &self.chat, version);
            *speaker = Speaker::Sampler(sampler.map_err(|source| failed(drawn, source))?);
        }
        let Speaker::Sampler(sampler) = speaker else { return Ok(Vec::new()) };
        let groups = self.playing().play(&mut **sampler, drawn).await?;
        self.written(drawn, groups)
    }

    /// The episodes of a round that are written down.
    pub(super) fn recorded(&self, drawn: &Drawn) -> Result<Option<Vec<Group<Episode>>>, TrainError> {
        let Some(replies) = self.replies.as_ref().filter(|replies| replies.has(drawn.at)) else {
            return Ok(None);
        };
        let (params, members) = (&self.recipe.sampling, self.group_size);
        let reading = Reading { chat: &self.chat, params, tasks: self.tasks, members };
        replies.read(drawn.at, &drawn.prompts, reading).map(Some)
    }

    /// The same episodes, once they are written down.
    pub(super) fn written(
        &self,
        drawn: &Drawn,
        groups: Vec<Group<Episode>>,
    ) -> Result<Vec<Group<Episode>>, TrainError> {
        self.replies.as_ref().map_or(Ok(()), |replies| replies.write(drawn.at, &groups, self.tasks))?;
        Ok(groups)
    }

    /// What a round is played with.
    pub(super) fn playing(&self) -> Playing<'_> {
        let Setting { environment, max_turns } = self.setting;
        let how = Play {
            chat: &self.chat,
            environment,
            params: &self.recipe.sampling,
            key: StreamKey { seed: 0, step: 0 },
            max_turns,
            context: self.sampler.context().map_or(self.context, |there| there.min(self.context)),
        };
        Playing { how, tasks: self.tasks, members: self.group_size }
    }

    /// Whether a group is one of those that are trained on.
    fn is_of_use(&self, group: &Group<Scored>) -> bool {
        let rewarded = group.members.iter().filter(|member| !member.skipped);
        let rewards: Vec<f64> = rewarded.map(|member| member.reward).collect();
        let outcomes = group.members.iter().filter_map(|member| member.success);
        let groups = self.groups;
        groups == GroupFilter::All
            || (!has_no_spread(&rewards) && (!groups.reads_outcomes() || has_mixed_outcome(outcomes)))
    }
}

/// What failed in a step.
pub(super) fn failed(drawn: &Drawn, source: RolloutError) -> TrainError {
    TrainError::Sample { step: drawn.at.0, source }
}

/// What a round is played with, whoever samples.
#[derive(Clone, Copy)]
pub(super) struct Playing<'a> {
    how: Play<'a>,
    tasks: &'a [Task],
    members: usize,
}

impl Playing<'_> {
    /// Has a sampler say what its policy says in a round.
    pub(super) async fn play(
        &self,
        sampler: &mut dyn Sampler,
        drawn: &Drawn,
    ) -> Result<Vec<Group<Episode>>, TrainError> {
        let how = Play { key: drawn.key, ..self.how };
        let sample_of = |prompt: &Prompt| &self.tasks[prompt.task].sample;
        let played = play(sampler, &drawn.prompts, sample_of, self.members, &how).await;
        played.map_err(|source| failed(drawn, source))
    }
}
