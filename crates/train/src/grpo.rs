//! A GRPO step: prompts, groups, scores, advantages, packs, updates, record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use toolrl_chat::Chat;
use toolrl_engine::Engine;
use toolrl_grpo::{BatchExtent, Diagnostics, LossOutput, Sequence, has_no_spread, policy_loss};
use toolrl_policy::{Derivatives, Policy};
use toolrl_reward::Rubric;
use toolrl_rollout::{FinishReason, Prompt, Sampler, StreamKey};

use crate::learner::{Learner, PackLoss, Update};
use crate::order::batch;
use crate::pack::{Pack, PackGroup, pack};
use crate::record::{GrpoMetrics, LogprobGap, ReplyLength, Spread, StepDetail, StepMetrics, means};
use crate::score::{Scored, count_failures, score};
use crate::task::Task;
use crate::{GrpoConfig, Recipe, TrainError};

/// What GRPO trains with.
pub(crate) struct Grpo<'a> {
    pub recipe: &'a Recipe,
    pub config: &'a GrpoConfig,
    pub tasks: &'a [Task],
    pub chat: Arc<Chat>,
    pub rubric: &'a Rubric,
    /// The frozen reference, where the loss has a divergence term.
    pub reference: Option<Policy>,
}

/// What a step's updates were, together.
#[derive(Default)]
struct Updates {
    diagnostics: Diagnostics,
    gap: Gap,
    entropy: f64,
    by_update: Vec<Update>,
}

impl Grpo<'_> {
    /// Step `step` (from 1): the eight stages of the architecture, in order.
    pub(crate) async fn step(
        &self,
        learner: &mut Learner,
        step: u64,
    ) -> Result<(StepMetrics, Vec<Scored>), TrainError> {
        let mut seconds = BTreeMap::new();
        let mut clock = Instant::now();
        let mut lap = |stage: &str| {
            seconds.insert(stage.to_owned(), clock.elapsed().as_secs_f64());
            clock = Instant::now();
        };
        let positions = batch(self.recipe.seed, step - 1, self.config.prompts, self.tasks.len());
        let prompts: Vec<Prompt> = positions.iter().map(|&p| self.tasks[p].prompt.clone()).collect();

        let mut engine = Engine::new(learner.policy(), Some(self.chat.clone()), self.recipe.slots);
        let key = StreamKey { seed: self.recipe.seed, step };
        let groups = engine.sample(&prompts, self.config.group_size, &self.recipe.sampling, key).await;
        let groups = groups.map_err(|source| TrainError::Sample { step, source })?;
        drop(engine);
        lap("sample");

        let scored = score(groups, self.tasks, &positions, self.rubric, step, self.config).await?;
        lap("score");

        let lr = learner.lr(step - 1, self.config.steps);
        let mut updates = Updates::default();
        let per_update = self.config.prompts.div_ceil(self.config.updates) * self.config.group_size;
        for mini_batch in scored.chunks(per_update) {
            self.update(learner, step, lr, mini_batch, &mut updates)?;
        }
        lap("update");
        Ok((self.metrics(step, lr, &scored, &updates, seconds), scored))
    }

    /// One optimiser step over some whole groups.
    fn update(
        &self,
        learner: &mut Learner,
        step: u64,
        lr: f64,
        scored: &[Scored],
        updates: &mut Updates,
    ) -> Result<(), TrainError> {
        let sequences: Vec<_> = scored.iter().map(sequence).collect();
        let extent = BatchExtent::of(&sequences);
        let packs = self.packs(scored);
        let reference: Vec<Vec<f32>> = match &self.reference {
            Some(policy) => packs.iter().map(|p| learner.logprobs_under(policy, p)).collect(),
            None => Vec::new(),
        };
        // Before the first update the sampler and the trainer hold the same weights.
        let measures_gap = updates.by_update.is_empty();
        let mut done = 0;
        let update = learner.update(step, &packs, lr, |pack, logp, entropy| {
            let ref_logp = reference.get(done).map(Vec::as_slice);
            done += 1;
            if measures_gap {
                updates.gap.add(pack, logp, scored);
            }
            updates.entropy += entropy.iter().map(|&e| f64::from(e)).sum::<f64>();
            let output = self.loss(pack, logp, entropy, ref_logp, scored, extent);
            let LossOutput { loss, d_logp, d_entropy, diagnostics } =
                output.map_err(|source| TrainError::Loss { step, source })?;
            updates.diagnostics.merge(&diagnostics);
            Ok(PackLoss { loss, derivatives: Derivatives { by_logp: d_logp, by_entropy: d_entropy } })
        })?;
        updates.by_update.push(update);
        Ok(())
    }

    /// Packs of the replies that have a gradient: without a divergence term or an entropy bonus, a
    /// group whose rewards are all equal has none, and is left out of the forward pass alone.
    fn packs(&self, scored: &[Scored]) -> Vec<Pack> {
        let all = self.config.loss.kl.is_some() || self.config.loss.entropy_coef != 0.0;
        let mut groups = Vec::new();
        for (i, members) in scored.chunks(self.config.group_size).enumerate() {
            if !all && members.iter().all(|m| m.advantage == 0.0) {
                continue;
            }
            let first = i * self.config.group_size;
            let replies =
                members.iter().enumerate().map(|(m, s)| (first + m, s.trajectory.tokens.as_slice()));
            groups.push(PackGroup {
                prompt: &self.tasks[members[0].task].prompt.tokens,
                replies: replies.collect(),
            });
        }
        pack(&groups, self.config.micro_tokens)
    }

    /// The loss of one pack's replies.
    fn loss(
        &self,
        pack: &Pack,
        logp: &[f32],
        entropy: &[f32],
        ref_logp: Option<&[f32]>,
        scored: &[Scored],
        extent: BatchExtent,
    ) -> Result<LossOutput, toolrl_grpo::GrpoError> {
        let mut start = 0;
        let sequences: Vec<_> = pack
            .replies
            .iter()
            .map(|&(number, len)| {
                let at = start..start + len;
                start += len;
                Sequence {
                    logp: &logp[at.clone()],
                    entropy: Some(&entropy[at.clone()]),
                    ref_logp: ref_logp.map(|r| &r[at]),
                    ..sequence(&scored[number])
                }
            })
            .collect();
        policy_loss(&sequences, extent, &self.config.loss)
    }

    fn metrics(
        &self,
        step: u64,
        lr: f64,
        scored: &[Scored],
        updates: &Updates,
        seconds: BTreeMap<String, f64>,
    ) -> StepMetrics {
        let rewards = |s: &[Scored]| s.iter().filter(|s| !s.skipped).map(|s| s.reward).collect::<Vec<_>>();
        let lengths = || scored.iter().map(|s| s.trajectory.tokens.len());
        let stopped = scored.iter().filter(|s| s.trajectory.finish == FinishReason::Stop).count();
        let tokens_sampled = lengths().sum::<usize>();
        let tokens_trained = updates.by_update.iter().map(|u| u.tokens).sum::<u64>();
        let n = updates.by_update.len().max(1) as f64;
        let groups = scored.chunks(self.config.group_size);
        let detail = GrpoMetrics {
            reward: Spread::of(&rewards(scored)),
            components: means(scored.iter().flat_map(|s| &s.components)),
            reward_failures: count_failures(step, scored),
            reply_length: ReplyLength {
                mean: tokens_sampled as f64 / scored.len().max(1) as f64,
                max: lengths().max().unwrap_or(0),
            },
            stop_rate: stopped as f64 / scored.len().max(1) as f64,
            groups: groups.len(),
            zero_variance_groups: groups.filter(|g| has_no_spread(&rewards(g))).count(),
            update: updates.diagnostics,
            logprob_gap: updates.gap.finish(),
            entropy: (tokens_trained > 0).then(|| updates.entropy / tokens_trained as f64),
            tokens_sampled: tokens_sampled as u64,
        };
        StepMetrics {
            step,
            detail: StepDetail::Grpo(detail),
            loss: updates.by_update.iter().map(|u| u.loss).sum::<f64>() / n,
            grad_norm: updates.by_update.iter().map(|u| u.grad_norm).sum::<f64>() / n,
            lr,
            tokens_trained,
            seconds,
        }
    }
}

/// A reply as the loss sees it, its log-probability still the sampler's.
fn sequence(scored: &Scored) -> Sequence<'_> {
    let old_logp = &scored.trajectory.logprobs;
    Sequence { logp: old_logp, old_logp, ref_logp: None, entropy: None, advantage: scored.advantage }
}

/// `|sampler - trainer|` over tokens.
#[derive(Default)]
struct Gap {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Gap {
    fn add(&mut self, pack: &Pack, logp: &[f32], scored: &[Scored]) {
        let sampled = pack.replies.iter().flat_map(|&(number, _)| &scored[number].trajectory.logprobs);
        for (sampler, trainer) in sampled.zip(logp) {
            let gap = f64::from((sampler - trainer).abs());
            self.sum += gap;
            self.max = self.max.max(gap);
            self.tokens += 1;
        }
    }

    fn finish(&self) -> LogprobGap {
        LogprobGap { mean: self.sum / self.tokens.max(1) as f64, max: self.max }
    }
}
