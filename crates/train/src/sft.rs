//! A step of supervised fine-tuning: mean negative log-probability of the gold replies' tokens.

use std::collections::BTreeMap;
use std::time::Instant;

use toolrl_chat::{Chat, TurnEnd};
use toolrl_data::Sample;
use toolrl_policy::{Derivatives, Policy};
use toolrl_record::{SftMetrics, StepDetail, StepMetrics};
use toolrl_rollout::{Environment, Prompt};

use crate::curriculum::Sources;
use crate::learner::{Learner, PackLoss};
use crate::limit::{OverlongCounts, WithLength};
use crate::pack::{Member, Pack, PackGroup, Place, pack};
use crate::task::{Data, Source};
use crate::{SftConfig, TrainError};

/// A prompt and the gold reply's tokens, the end of the turn included ([`TurnEnd`]).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demonstration {
    /// Which of the run's sources it is of.
    pub source: usize,
    /// Prompt, then reply.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt's.
    pub prompt: usize,
}

/// What SFT trains with.
pub(crate) struct Sft<'a> {
    pub config: &'a SftConfig,
    pub seed: u64,
    pub steps: u64,
    pub demonstrations: Vec<Demonstration>,
    sources: Sources,
}

impl<'a> Sft<'a> {
    /// After so many steps.
    ///
    /// # Errors
    /// [`TrainError::NoTasks`] where a source has no demonstration.
    pub(crate) fn new(
        config: &'a SftConfig,
        seed: u64,
        (demonstrations, sources): (Vec<Demonstration>, &[Source]),
        done: u64,
    ) -> Result<Self, TrainError> {
        let mut sources = Sources::of(sources, demonstrations.iter().map(|d| d.source))?;
        sources.pass_over(done * config.batch as u64);
        let passes = config.epochs * demonstrations.len() as f64 / config.batch as f64;
        let steps = config.steps.unwrap_or(passes.ceil() as u64);
        Ok(Self { config, seed, steps, demonstrations, sources })
    }

    /// Step `step`, from 1: the next one.
    pub(crate) fn step(&mut self, learner: &mut Learner, step: u64) -> Result<StepMetrics, TrainError> {
        let clock = Instant::now();
        let chosen = self.sources.take(self.seed, self.config.batch);
        let chosen: Vec<_> = chosen.into_iter().map(|d| &self.demonstrations[d]).collect();
        let groups: Vec<_> = chosen.iter().enumerate().map(|(i, d)| self.group(i, d)).collect();
        let tokens: usize = chosen.iter().map(|d| d.tokens.len() - d.prompt).sum();
        let lr = learner.lr(step - 1, self.steps);
        let packs = pack(&groups, self.config.micro_tokens);
        let update =
            learner.update(step, &packs, lr, |pack, logp, _| Ok(self.loss(pack, logp, &chosen, tokens)))?;
        let epoch = (step as usize * self.config.batch) as f64 / self.demonstrations.len() as f64;
        Ok(StepMetrics {
            step,
            detail: StepDetail::Sft(SftMetrics {
                epoch,
                replies: chosen.len(),
                sources: self.sources.metrics(),
            }),
            loss: update.loss,
            grad_norm: update.grad_norm,
            lr,
            tokens_trained: update.tokens,
            skipped_updates: usize::from(update.skipped),
            weights: learner.weights().map(|crc| format!("{crc:08x}")),
            seconds: BTreeMap::from([("update".to_owned(), clock.elapsed().as_secs_f64())]),
        })
    }

    /// What is predicted of a demonstration: the reply, or everything but the first token.
    fn group<'d>(&self, number: usize, d: &'d Demonstration) -> PackGroup<'d> {
        let given = if self.config.prompt_loss > 0.0 { 1 } else { d.prompt };
        let (prompt, rest) = d.tokens.split_at(given);
        let place = Place { group: number, member: 0 };
        PackGroup { prompt, members: vec![Member::whole(place, rest)] }
    }

    /// Mean over the batch's `tokens` reply tokens; a prompt's tokens weigh `prompt_loss` each.
    fn loss(&self, pack: &Pack, logp: &[f32], chosen: &[&Demonstration], tokens: usize) -> PackLoss {
        let weight = 1.0 / tokens as f64;
        let d_logp = pack.members.iter().flat_map(|&(place, len)| {
            let d = chosen[place.group];
            let of_prompt = len - (d.tokens.len() - d.prompt);
            (0..len).map(move |i| if i < of_prompt { -weight * self.config.prompt_loss } else { -weight })
        });
        let d_logp: Vec<f32> = d_logp.map(|d| d as f32).collect();
        let loss = d_logp.iter().zip(logp).map(|(&d, &l)| f64::from(d) * f64::from(l)).sum();
        PackLoss { loss, derivatives: Derivatives { by_logp: d_logp, by_entropy: Vec::new() } }
    }
}

/// The samples' prompts and gold replies as tokens, in what becomes of those that are too long.
pub(crate) fn demonstrations(
    config: &SftConfig,
    data: &Data,
    (chat, environment): (&Chat, &dyn Environment),
    policy: &Policy,
) -> Result<(Vec<Demonstration>, OverlongCounts), TrainError> {
    let stop = TurnEnd::of(chat, &policy.generation().stop_tokens)?.taught;
    let whole = |(source, s): (usize, &Sample)| {
        let sample = demonstration((source, s), (chat, environment), stop)?;
        Ok(WithLength { id: s.id.clone(), tokens: sample.tokens.len(), sample })
    };
    let whole = data.source_of_each().zip(&data.train).map(whole).collect::<Result<Vec<_>, TrainError>>()?;
    let limit = config.limit(policy.config().max_positions);
    limit.apply(whole, |demonstration| Ok(demonstration.cut_to(limit.tokens)))
}

/// A sample's prompt and gold reply as tokens.
fn demonstration(
    (source, sample): (usize, &Sample),
    (chat, environment): (&Chat, &dyn Environment),
    stop: u32,
) -> Result<Demonstration, TrainError> {
    let mut tokens = Prompt::of_sample(chat, environment, sample, 0)?.tokens;
    let prompt = tokens.len();
    tokens.extend(chat.encode(&sample.gold)?);
    tokens.push(stop);
    Ok(Demonstration { source, tokens, prompt })
}

impl Demonstration {
    /// At most `n` tokens of it: first the prompt loses its beginning, all but a token, then the reply its end.
    fn cut_to(mut self, n: usize) -> Self {
        let replied = (self.tokens.len() - self.prompt).min(n.saturating_sub(1).max(1));
        self.tokens.truncate(self.prompt + replied);
        let kept = n.saturating_sub(replied).max(1).min(self.prompt);
        self.tokens.drain(..self.prompt - kept);
        Self { prompt: kept, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_loses_its_beginning_before_a_reply_loses_its_end() {
        let demonstration = Demonstration { source: 0, tokens: (0..10).collect(), prompt: 6 };
        let cut = |n| demonstration.clone().cut_to(n);
        assert_eq!(cut(10), demonstration);
        assert_eq!(cut(7), Demonstration { source: 0, tokens: (3..10).collect(), prompt: 3 });
        assert_eq!(cut(5), Demonstration { source: 0, tokens: (5..10).collect(), prompt: 1 });
        assert_eq!(cut(3), Demonstration { source: 0, tokens: (5..8).collect(), prompt: 1 });
    }
}
