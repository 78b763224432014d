//! One GRPO step by itself, timed stage by stage: what `toolrl bench step` runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use toolrl_chat::Chat;
use toolrl_engine::Engine;
use toolrl_grpo::{BatchExtent, LossConfig, Sequence, group_normalized, policy_loss};
use toolrl_policy::{Activations, Derivatives, Packing, Pass, Policy};
use toolrl_rollout::{Group, Prompt, Sampler, SamplingParams, StreamKey, Trajectory};

use crate::guard::Guard;
use crate::learner::{Learner, PackLoss};
use crate::pack::{Pack, PackGroup, pack};
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
    chat: Option<Arc<Chat>>,
    settings: BenchSettings,
    step: u64,
}

/// A reply with its prompt and its advantage.
struct Reply<'a> {
    prompt: &'a [u32],
    trajectory: &'a Trajectory,
    advantage: f64,
}

impl Bench {
    /// Steps of `policy`, whose tokenizer is `chat`; without one, replies have no text.
    pub fn new(policy: Policy, chat: Option<Arc<Chat>>, settings: BenchSettings) -> Self {
        let temperature = settings.sampling.temperature;
        let guard = Guard::new(GuardConfig::default(), Path::new(""));
        let learner =
            Learner::new(policy, settings.optimizer.clone(), settings.activations, temperature, guard);
        Self { learner, chat, settings, step: 0 }
    }

    /// One step: samples a group a prompt, scores the replies by `reward`, and updates the weights by GRPO
    /// with ToolRL's settings. No group is left out.
    ///
    /// # Errors
    /// [`TrainError`] when sampling or the loss fails.
    pub async fn step(
        &mut self,
        prompts: &[Prompt],
        reward: impl Fn(&Trajectory) -> f64,
    ) -> Result<BenchStep, TrainError> {
        self.step += 1;
        let begin = Instant::now();
        let groups = self.sample(prompts).await?;
        let sampling_s = begin.elapsed().as_secs_f64();

        let replies = self.score(&groups, reward);
        let packs = match self.settings.layout {
            Layout::Shared => self.shared(&replies),
            Layout::Plain => self.padded(&replies),
        };
        let scoring_s = begin.elapsed().as_secs_f64() - sampling_s;

        let (step, lr) = (self.step, self.settings.optimizer.lr);
        let tokens = replies.iter().map(|r| r.trajectory.tokens.len()).sum();
        let extent = BatchExtent { sequences: replies.len(), tokens };
        let mut logprob_gap_max = 0.0f64;
        let update = self.learner.update(step, &packs, lr, |pack, logp, _| {
            for (sampled, trained) in sampled(pack, &replies).zip(logp) {
                logprob_gap_max = logprob_gap_max.max(f64::from((sampled - trained).abs()));
            }
            loss(pack, logp, &replies, extent).map_err(|source| TrainError::Loss { step, source })
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
            generated_tokens: tokens as u64,
            trained_tokens: update.tokens,
            computed_tokens: packs.iter().map(|p| p.pass.tokens.len() as u64).sum(),
            loss: update.loss,
            grad_norm: update.grad_norm,
            logprob_gap_max,
        })
    }

    /// A group a prompt; in the plain layout each member is a prompt of its own.
    async fn sample(&self, prompts: &[Prompt]) -> Result<Vec<Group>, TrainError> {
        let BenchSettings { group_size, sampling, layout, seed, .. } = &self.settings;
        let (step, slots) = (self.step, prompts.len() * group_size);
        let key = StreamKey { seed: *seed, step };
        let mut engine = Engine::new(self.learner.policy(), self.chat.clone(), slots);
        let failed = |source| TrainError::Sample { step, source };
        if *layout == Layout::Shared {
            return engine.sample(prompts, *group_size, sampling, key).await.map_err(failed);
        }
        let copy = |(i, p): (u64, &Prompt)| Prompt { index: i, ..p.clone() };
        let copies: Vec<_> =
            (0..).zip(prompts.iter().flat_map(|p| std::iter::repeat_n(p, *group_size))).map(copy).collect();
        let alone = engine.sample(&copies, 1, sampling, key).await.map_err(failed)?;
        let join = |(prompt, members): (&Prompt, &[Group])| {
            let trajectories = members.iter().flat_map(|m| m.trajectories.clone()).collect();
            Group { prompt: prompt.clone(), trajectories }
        };
        Ok(prompts.iter().zip(alone.chunks(*group_size)).map(join).collect())
    }

    fn score<'a>(&self, groups: &'a [Group], reward: impl Fn(&Trajectory) -> f64) -> Vec<Reply<'a>> {
        let mut replies = Vec::new();
        for group in groups {
            let rewards: Vec<f64> = group.trajectories.iter().map(&reward).collect();
            let advantages = group_normalized(&rewards, 1e-6);
            let members = group.trajectories.iter().zip(advantages);
            replies.extend(members.map(|(trajectory, advantage)| Reply {
                prompt: &group.prompt.tokens,
                trajectory,
                advantage,
            }));
        }
        replies
    }

    fn shared(&self, replies: &[Reply]) -> Vec<Pack> {
        let groups: Vec<_> = replies
            .chunks(self.settings.group_size)
            .enumerate()
            .map(|(g, members)| {
                let first = g * self.settings.group_size;
                let replies =
                    members.iter().enumerate().map(|(i, r)| (first + i, r.trajectory.tokens.as_slice()));
                PackGroup { prompt: members[0].prompt, replies: replies.collect() }
            })
            .collect();
        pack(&groups, self.settings.micro_tokens)
    }

    /// Each reply after its own copy of the prompt, all as long as the longest.
    fn padded(&self, replies: &[Reply]) -> Vec<Pack> {
        let len = |r: &Reply| r.prompt.len() + r.trajectory.tokens.len() - 1;
        let longest = replies.iter().map(len).max().unwrap_or(1);
        let numbered: Vec<_> = replies.iter().enumerate().collect();
        let batches = numbered.chunks((self.settings.micro_tokens / longest).max(1));
        batches.map(|batch| padded(batch, longest)).collect()
    }
}

/// A pack of padded sequences. What follows a reply is seen by nothing that a loss looks at.
fn padded(batch: &[(usize, &Reply)], longest: usize) -> Pack {
    let mut packing = Packing::new();
    let (mut tokens, mut rows, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for (_, reply) in batch {
        let own = &reply.trajectory.tokens;
        let first = (tokens.len() + reply.prompt.len() - 1) as u32;
        rows.extend(first..first + own.len() as u32);
        targets.extend_from_slice(own);
        let end = tokens.len() + longest;
        tokens.extend_from_slice(reply.prompt);
        tokens.extend_from_slice(&own[..own.len() - 1]);
        tokens.resize(end, 0);
        packing.push(longest, None);
    }
    let pass =
        Pass { tokens: tokens.into(), packing: packing.into(), rows: rows.into(), targets: targets.into() };
    Pack { pass, replies: batch.iter().map(|(i, r)| (*i, r.trajectory.tokens.len())).collect() }
}

/// The sampler's log-probabilities of a pack's targets.
fn sampled<'a>(pack: &'a Pack, replies: &'a [Reply]) -> impl Iterator<Item = f32> + 'a {
    pack.replies.iter().flat_map(|&(number, _)| &replies[number].trajectory.logprobs).copied()
}

fn loss(
    pack: &Pack,
    logp: &[f32],
    replies: &[Reply],
    extent: BatchExtent,
) -> Result<PackLoss, toolrl_grpo::GrpoError> {
    let mut rest = logp;
    let sequence = |&(number, len): &(usize, usize)| {
        let Reply { trajectory, advantage, .. } = &replies[number];
        let (own, others) = rest.split_at(len);
        rest = others;
        Sequence::new(own, &trajectory.logprobs, (*advantage).into())
    };
    let sequences: Vec<_> = pack.replies.iter().map(sequence).collect();
    let output = policy_loss(&sequences, extent, &LossConfig::default())?;
    let derivatives = Derivatives { by_logp: output.d_logp, by_entropy: output.d_entropy };
    Ok(PackLoss { loss: output.loss, derivatives })
}

#[cfg(test)]
mod tests;
