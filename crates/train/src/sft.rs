//! A step of supervised fine-tuning: mean negative log-probability of the replies' tokens.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use toolrl_chat::{Chat, TurnEnd};
use toolrl_data::Sample;
use toolrl_policy::Derivatives;
use toolrl_record::{SftMetrics, StepDetail, StepMetrics};
use toolrl_rollout::{Environment, Prompt};

use crate::completions::UsedGroup;
use crate::curriculum::Sources;
use crate::learner::{Learner, PackLoss};
use crate::limit::{OverlongCounts, WithLength};
use crate::pack::{Member, Pack, PackGroup, Place, pack_for};
use crate::task::{Data, Source};
use crate::{SftConfig, TrainError};

/// A prompt and a reply's tokens, the end of the turn included ([`TurnEnd`]).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demonstration {
    /// Which of the run's sources it is of.
    pub source: usize,
    /// Prompt, then reply.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt's.
    pub prompt: usize,
    /// Places in the reply of what is learned: all of a gold reply, the turns of an episode.
    pub turns: Vec<Range<usize>>,
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
        sources.pass_over(done * config.offline.batch as u64);
        let steps = config.offline.steps_of(demonstrations.len());
        Ok(Self { config, seed, steps, demonstrations, sources })
    }

    /// Step `step`, from 1: the next one.
    pub(crate) fn step(&mut self, learner: &mut Learner, step: u64) -> Result<StepMetrics, TrainError> {
        let clock = Instant::now();
        let offline = &self.config.offline;
        let chosen = self.sources.take(self.seed, offline.batch);
        let chosen: Vec<_> = chosen.into_iter().map(|d| &self.demonstrations[d]).collect();
        let groups: Vec<_> = chosen.iter().enumerate().map(|(i, d)| self.group(i, d)).collect();
        let tokens: usize = chosen.iter().map(|d| d.learned()).sum();
        let lr = learner.lr(step - 1, self.steps);
        let packs = pack_for(learner.devices(), &groups, offline.micro_tokens);
        let update =
            learner.update(step, &packs, lr, |pack, logp, _| Ok(self.loss(pack, logp, &chosen, tokens)))?;
        let epoch = offline.epoch(step, self.demonstrations.len());
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

    /// What is predicted of a demonstration: the reply, or the prompt but for its first token too.
    fn group<'d>(&self, number: usize, d: &'d Demonstration) -> PackGroup<'d> {
        let given = if self.config.prompt_loss > 0.0 { 1 } else { d.prompt };
        let (prompt, tokens) = d.tokens.split_at(given);
        let of_prompt = d.prompt - given;
        let turns = d.turns.iter().map(|turn| turn.start + of_prompt..turn.end + of_prompt);
        let targets = (of_prompt > 0).then_some(0..of_prompt).into_iter().chain(turns).collect();
        let place = Place { group: number, member: 0 };
        PackGroup { prompt, members: vec![Member { place, tokens, targets }] }
    }

    /// Mean over the batch's `tokens` reply tokens; a prompt's tokens weigh `prompt_loss` each.
    fn loss(&self, pack: &Pack, logp: &[f32], chosen: &[&Demonstration], tokens: usize) -> PackLoss {
        let weight = 1.0 / tokens as f64;
        let d_logp = pack.members.iter().flat_map(|&(place, len)| {
            let d = chosen[place.group];
            let of_prompt = len - d.learned();
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
    (stop_tokens, context): (&[u32], usize),
) -> Result<(Vec<Demonstration>, OverlongCounts), TrainError> {
    let stop = TurnEnd::of(chat, stop_tokens)?.taught;
    let whole = |(source, s): (usize, &Sample)| {
        let sample = demonstration((source, s), (chat, environment), stop)?;
        Ok(WithLength { id: s.id.clone(), tokens: sample.tokens.len(), sample })
    };
    let whole = data.source_of_each().zip(&data.train).map(whole).collect::<Result<Vec<_>, TrainError>>()?;
    within(config, whole, context)
}

/// The best reply of each group of a run's completions, in what becomes of those that are too long.
pub(crate) fn best_replies(
    config: &SftConfig,
    groups: Vec<UsedGroup>,
    context: usize,
) -> Result<(Vec<Demonstration>, OverlongCounts), TrainError> {
    let whole = |UsedGroup { id, prompt, best, .. }: UsedGroup| {
        let tokens = [&prompt.tokens[..], &best.tokens].concat();
        let sample = Demonstration { source: 0, tokens, prompt: prompt.tokens.len(), turns: best.turns };
        WithLength { id, tokens: sample.tokens.len(), sample }
    };
    within(config, groups.into_iter().map(whole).collect(), context)
}

fn within(
    config: &SftConfig,
    whole: Vec<WithLength<Demonstration>>,
    context: usize,
) -> Result<(Vec<Demonstration>, OverlongCounts), TrainError> {
    let limit = config.offline.limit(context);
    limit.apply(whole, |demonstration| Ok(demonstration.cut_to(limit.tokens)))
}

/// A sample's prompt and gold reply as tokens.
pub(crate) fn demonstration(
    (source, sample): (usize, &Sample),
    (chat, environment): (&Chat, &dyn Environment),
    stop: u32,
) -> Result<Demonstration, TrainError> {
    let mut tokens = Prompt::of_sample(chat, environment, sample, 0)?.tokens;
    let prompt = tokens.len();
    tokens.extend(chat.encode(&sample.gold)?);
    tokens.push(stop);
    let turns = std::iter::once(0..tokens.len() - prompt).collect();
    Ok(Demonstration { source, tokens, prompt, turns })
}

impl Demonstration {
    /// Tokens of the reply that are learned.
    fn learned(&self) -> usize {
        self.turns.iter().map(ExactSizeIterator::len).sum()
    }

    /// At most `n` tokens of it: first the prompt loses its beginning, all but a token, then the reply its end.
    fn cut_to(mut self, n: usize) -> Self {
        let replied = (self.tokens.len() - self.prompt).min(n.saturating_sub(1).max(1));
        self.tokens.truncate(self.prompt + replied);
        self.turns.retain(|turn| turn.start < replied);
        self.turns.iter_mut().for_each(|turn| turn.end = turn.end.min(replied));
        let kept = n.saturating_sub(replied).max(1).min(self.prompt);
        self.tokens.drain(..self.prompt - kept);
        Self { prompt: kept, ..self }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a reply may have one turn")]
mod tests {
    use super::*;
    use crate::pack::pack;

    #[test]
    fn a_prompt_loses_its_beginning_before_a_reply_loses_its_end() {
        let made = |tokens: Range<u32>, prompt, turns: &[Range<usize>]| Demonstration {
            source: 0,
            tokens: tokens.collect(),
            prompt,
            turns: turns.to_vec(),
        };
        let demonstration = made(0..10, 6, &[0..1, 3..4]);
        let cut = |n| demonstration.clone().cut_to(n);
        assert_eq!(cut(10), demonstration);
        assert_eq!(cut(7), made(3..10, 3, &[0..1, 3..4]));
        assert_eq!(cut(5), made(5..10, 1, &[0..1, 3..4]));
        assert_eq!(cut(3), made(5..8, 1, &[0..1]));
    }

    /// What the environment said between two turns is read and not learned, with the prompt learned or not.
    #[test]
    fn turns_alone_are_targets() {
        let d = Demonstration { source: 0, tokens: (0..9).collect(), prompt: 4, turns: vec![0..2, 4..5] };
        for (prompt_loss, given, targets) in [(0.0, 4, vec![0..2, 4..5]), (0.5, 1, vec![0..3, 3..5, 7..8])] {
            let config = SftConfig { prompt_loss, ..SftConfig::default() };
            let sft = Sft::new(
                &config,
                0,
                (vec![d.clone()], &[Source { name: String::new(), weight: 1.0, train: 1 }]),
                0,
            )
            .unwrap();
            let group = sft.group(0, &d);
            assert_eq!((group.prompt.len(), &group.members[0].targets), (given, &targets));
            let packs = pack(&[group], 100);
            let logp = vec![-1.0; packs[0].pass.targets.len()];
            let loss = sft.loss(&packs[0], &logp, &[&d], d.learned());
            assert!((loss.loss - (1.0 + prompt_loss)).abs() < 1e-6, "{}", loss.loss);
        }
    }
}
