//! One GRPO step by itself, timed stage by stage: what `toolrl bench step` runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use toolrl_engine::Engine;
use toolrl_grpo::{LossConfig, group_normalized};
use toolrl_policy::{Activations, Packing, Pass, Policy};
use toolrl_rollout::{Group, Prompt, Request, Sampled, Sampler, SamplingParams, StreamKey};

use crate::guard::Guard;
use crate::learner::Learner;
use crate::loss::{Experience, extent, loss};
use crate::pack::{Member, Pack, PackGroup, Place, pack};
use crate::{GuardConfig, OptimizerConfig, TrainError};

/// How a group's prompt is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Computed once, in sampling and in training; nothing is padded.
    Shared,
    /// Computed for each reply, sequences padded to the longest of the step: what is compared with.
    Plain,
}

/// Settings of the timed step.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// Replies a prompt.
    pub group_size: usize,
    /// How they are sampled.
    pub sampling: SamplingParams,
    /// Tokens of one forward and backward pass, at most (a single longer sequence is taken whole).
    pub micro_tokens: usize,
    /// What of a forward pass is kept.
    pub activations: Activations,
    /// Memory, in MiB, for what sampling keeps of prompts.
    pub kept_prompts_mib: u64,
    /// How a group's prompt is treated.
    pub layout: Layout,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// Where the random numbers come from.
    pub seed: u64,
}

/// What a step took, in seconds, and what it computed.
#[derive(Clone, Debug, Serialize)]
pub struct BenchStep {
    /// From 1.
    pub step: u64,
    /// How the prompts were treated.
    pub layout: Layout,
    /// The whole step.
    pub wall_s: f64,
    /// Sampling, with the prompts' forward pass.
    pub sampling_s: f64,
    /// Rewards, advantages, packing.
    pub scoring_s: f64,
    /// Forward and backward passes.
    pub training_s: f64,
    /// Clipping and AdamW.
    pub optimizer_s: f64,
    /// What the guards take of the update, measured by itself after the step: the checksum of all weights and the limit
    /// of the gradient's norm.
    pub guards_s: f64,
    /// Tokens that were sampled.
    pub generated_tokens: u64,
    /// Tokens of replies that the loss looks at.
    pub trained_tokens: u64,
    /// Tokens that the forward passes of training computed: prompts, replies, and padding.
    pub computed_tokens: u64,
    /// The loss.
    pub loss: f64,
    /// The gradient's norm before clipping.
    pub grad_norm: f64,
    /// Largest difference between sampler and trainer in a token's log-probability, in nats.
    pub logprob_gap_max: f64,
}

/// A policy whose steps are timed.
pub struct Bench {
    learner: Learner,
    settings: BenchSettings,
    step: u64,
}

/// A turn with its advantage.
struct Credited {
    turn: Sampled,
    advantage: f64,
}

impl Credited {
    fn experience(&self) -> Experience<'_> {
        let advantage = self.advantage.into();
        Experience { old_logp: &self.turn.logprobs, sampler_logp: None, ref_logp: None, advantage }
    }
}

impl Bench {
    /// Steps of `policy`.
    pub fn new(policy: Policy, settings: BenchSettings) -> Self {
        let temperature = settings.sampling.temperature;
        let guard = Guard::new(GuardConfig::default(), Path::new(""));
        let learner =
            Learner::new(policy, settings.optimizer.clone(), settings.activations, temperature, guard);
        Self { learner, settings, step: 0 }
    }

    /// One step: samples a group a prompt, scores the turns by `reward`, and updates the weights by GRPO
    /// with ToolRL's settings. No group is left out.
    ///
    /// # Errors
    /// [`TrainError`] when sampling or the loss fails.
    pub async fn step(
        &mut self,
        prompts: &[Arc<Prompt>],
        reward: impl Fn(&Sampled) -> f64,
    ) -> Result<BenchStep, TrainError> {
        self.step += 1;
        let begin = Instant::now();
        let groups = self.sample(prompts).await?;
        let sampling_s = begin.elapsed().as_secs_f64();

        let groups: Vec<_> = groups.into_iter().map(|group| credit(group, &reward)).collect();
        let to_pack: Vec<_> = groups.iter().enumerate().map(to_pack).collect();
        let packs = match self.settings.layout {
            Layout::Shared => pack(&to_pack, self.settings.micro_tokens),
            Layout::Plain => plain(&to_pack, self.settings.micro_tokens),
        };
        let scoring_s = begin.elapsed().as_secs_f64() - sampling_s;

        let (step, lr) = (self.step, self.settings.optimizer.lr);
        let extent = extent(groups.iter().flat_map(|group| &group.members).map(Credited::experience));
        let member = |place: Place| &groups[place.group].members[place.member];
        let mut logprob_gap_max = 0.0f64;
        let update = self.learner.update(step, &packs, lr, |pack, logp, entropy| {
            for (place, trained) in pack.split(logp) {
                let gaps =
                    member(place).turn.logprobs.iter().zip(trained).map(|(s, t)| f64::from((s - t).abs()));
                logprob_gap_max = gaps.fold(logprob_gap_max, f64::max);
            }
            let experience = |place| Some(member(place).experience());
            let output = loss(pack, (logp, entropy), experience, extent, &LossConfig::default());
            Ok(output.map_err(|source| TrainError::Loss { step, source })?.into())
        })?;
        let wall_s = begin.elapsed().as_secs_f64();
        Ok(BenchStep {
            step,
            layout: self.settings.layout,
            wall_s,
            sampling_s,
            scoring_s,
            training_s: wall_s - sampling_s - scoring_s - update.optimizer_seconds,
            optimizer_s: update.optimizer_seconds,
            guards_s: self.learner.guard_seconds(),
            generated_tokens: extent.tokens as u64,
            trained_tokens: update.tokens,
            computed_tokens: packs.iter().map(|p| p.pass.tokens.len() as u64).sum(),
            loss: update.loss,
            grad_norm: update.grad_norm,
            logprob_gap_max,
        })
    }

    /// A group a prompt; in the plain layout each member is a request of its own.
    async fn sample(&self, prompts: &[Arc<Prompt>]) -> Result<Vec<Group<Sampled>>, TrainError> {
        let BenchSettings { group_size, sampling, layout, seed, .. } = &self.settings;
        let (step, members) = (self.step, *group_size);
        let key = StreamKey { seed: *seed, step };
        let request = |index: u64, prompt: &'_ Arc<Prompt>, members| (index, prompt.clone(), 0..members);
        let asked: Vec<_> = match layout {
            Layout::Shared => prompts.iter().map(|p| request(p.index, p, members)).collect(),
            Layout::Plain => {
                let copies = prompts.iter().flat_map(|p| std::iter::repeat_n(p, members));
                (0..).zip(copies).map(|(index, p)| request(index, p, 1)).collect()
            }
        };
        let requests = asked.iter().map(|(index, prompt, members)| Request {
            index: *index,
            tokens: &prompt.tokens,
            members: members.clone(),
            drawn: 0,
        });
        let requests: Vec<_> = requests.collect();
        if (self.settings.activations, *layout) == (Activations::Keep, Layout::Shared) {
            self.learner.policy().keep_prompts(self.settings.kept_prompts_mib.saturating_mul(1 << 20));
        }
        let mut engine = Engine::new(self.learner.policy(), prompts.len() * members);
        let turns = engine.sample(&requests, sampling, key).await;
        let mut turns = turns.map_err(|source| TrainError::Sample { step, source })?.into_iter().flatten();
        let group = |prompt: &Arc<Prompt>| Group {
            prompt: prompt.clone(),
            members: turns.by_ref().take(members).collect(),
        };
        Ok(prompts.iter().map(group).collect())
    }
}

fn credit(group: Group<Sampled>, reward: impl Fn(&Sampled) -> f64) -> Group<Credited> {
    let rewards: Vec<f64> = group.members.iter().map(reward).collect();
    let mut advantages = group_normalized(&rewards, 1e-6).into_iter();
    group.map(|turn| Credited { turn, advantage: advantages.next().unwrap_or_default() })
}

/// A group, the so many-th, as it is packed.
fn to_pack((number, group): (usize, &Group<Credited>)) -> PackGroup<'_> {
    let places = (0..).map(|member| Place { group: number, member });
    let members = places.zip(&group.members).map(|(place, of)| Member::whole(place, &of.turn.tokens));
    PackGroup { prompt: &group.prompt.tokens, members: members.collect() }
}

/// Each turn after its own copy of the prompt, all as long as the longest.
fn plain(groups: &[PackGroup<'_>], micro_tokens: usize) -> Vec<Pack> {
    let all = groups.iter().flat_map(|group| group.members.iter().map(|member| (group.prompt, member)));
    let all: Vec<_> = all.collect();
    let longest =
        all.iter().map(|(prompt, member)| prompt.len() + member.tokens.len() - 1).max().unwrap_or(1);
    all.chunks((micro_tokens / longest).max(1)).map(|batch| padded(batch, longest)).collect()
}

/// A pack of padded sequences. What follows a turn is seen by nothing that a loss looks at.
fn padded(batch: &[(&[u32], &Member<'_>)], longest: usize) -> Pack {
    let mut packing = Packing::new();
    let (mut tokens, mut rows, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for (prompt, member) in batch {
        let own = member.tokens;
        let first = (tokens.len() + prompt.len() - 1) as u32;
        rows.extend(first..first + own.len() as u32);
        targets.extend_from_slice(own);
        let end = tokens.len() + longest;
        tokens.extend_from_slice(prompt);
        tokens.extend_from_slice(&own[..own.len() - 1]);
        tokens.resize(end, 0);
        packing.push(longest, None);
    }
    let pass =
        Pass { tokens: tokens.into(), packing: packing.into(), rows: rows.into(), targets: targets.into() };
    Pack { pass, members: batch.iter().map(|(_, member)| (member.place, member.tokens.len())).collect() }
}

#[cfg(test)]
mod tests;
