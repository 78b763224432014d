//! A step of direct preference optimisation.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use toolrl_grpo::{GrpoError, PairReply, Preference, PreferenceExtent, PreferenceLoss, dpo_loss};
use toolrl_policy::{Derivatives, Policy};
use toolrl_record::{DpoMetrics, StepDetail, StepMetrics, write_whole};

use crate::learner::{Learner, PackLoss};
use crate::order::batch;
use crate::pack::{Pack, pack, share};
use crate::pair::Pair;
use crate::{DpoConfig, Observer, TrainError};

/// What DPO trains with.
pub(crate) struct Dpo<'a> {
    pub config: &'a DpoConfig,
    pub seed: u64,
    pub steps: u64,
    pub pairs: Vec<Pair>,
    /// Log-probabilities of each pair's chosen and rejected reply under the policy that the run began with.
    pub references: Vec<[f64; 2]>,
}

impl Dpo<'_> {
    /// Step `step`, from 1.
    pub(crate) fn step(&self, learner: &mut Learner, step: u64) -> Result<StepMetrics, TrainError> {
        let clock = Instant::now();
        let offline = &self.config.offline;
        let numbers = batch(self.seed, step - 1, offline.batch, self.pairs.len());
        let chosen: Vec<&Pair> = numbers.iter().map(|&number| &self.pairs[number]).collect();
        let sampled = |pair: &&Pair| pair.chosen.turns.iter().map(ExactSizeIterator::len).sum::<usize>();
        let extent =
            PreferenceExtent { pairs: chosen.len(), chosen_tokens: chosen.iter().map(sampled).sum() };
        let lr = learner.lr(step - 1, self.steps);
        let mut told = Vec::with_capacity(chosen.len());
        let costs: Vec<usize> = chosen.iter().map(|pair| pair.cost()).collect();
        let packs = packs(&chosen, share(learner.devices(), &costs, offline.micro_tokens));
        let update = learner.update(step, &packs, lr, |pack, logp, _| {
            let reference = |pair: usize| self.references[numbers[pair]];
            let loss = self.loss(pack, logp, reference, extent, &mut told);
            loss.map_err(|source| TrainError::Loss { step, source })
        })?;
        Ok(StepMetrics {
            step,
            detail: StepDetail::Dpo(metrics(offline.epoch(step, self.pairs.len()), &told)),
            loss: update.loss,
            grad_norm: update.grad_norm,
            lr,
            tokens_trained: update.tokens,
            skipped_updates: usize::from(update.skipped),
            weights: learner.weights().map(|crc| format!("{crc:08x}")),
            seconds: BTreeMap::from([("update".to_owned(), clock.elapsed().as_secs_f64())]),
        })
    }

    /// The loss of a pack's pairs and its derivatives.
    fn loss(
        &self,
        pack: &Pack,
        logp: &[f32],
        reference: impl Fn(usize) -> [f64; 2],
        extent: PreferenceExtent,
        told: &mut Vec<PreferenceLoss>,
    ) -> Result<PackLoss, GrpoError> {
        let (mut loss, mut by_logp) = (0.0, Vec::with_capacity(logp.len()));
        let replies: Vec<_> = pack.split(logp).collect();
        let (pairs, _) = replies.as_chunks::<2>();
        for &[(place, chosen), (_, rejected)] in pairs {
            let [of_chosen, of_rejected] = reference(place.group);
            let pair = Preference {
                chosen: PairReply { logp: chosen, reference: of_chosen },
                rejected: PairReply { logp: rejected, reference: of_rejected },
            };
            let of_pair = dpo_loss(&pair, extent, &self.config.loss)?;
            loss += of_pair.loss;
            by_logp.extend(std::iter::repeat_n(of_pair.d_chosen as f32, chosen.len()));
            by_logp.extend(std::iter::repeat_n(of_pair.d_rejected as f32, rejected.len()));
            told.push(of_pair);
        }
        Ok(PackLoss { loss, derivatives: Derivatives { by_logp, by_entropy: Vec::new() } })
    }
}

/// Pairs in packs of at most so many tokens; a pair is never taken apart, as its loss is of both replies.
fn packs(pairs: &[&Pair], max_tokens: usize) -> Vec<Pack> {
    let mut packs = Vec::new();
    let (mut first, mut tokens) = (0, 0);
    for (number, pair) in pairs.iter().enumerate() {
        if number > first && tokens + pair.cost() > max_tokens {
            packs.extend(one_pack(pairs, first..number));
            (first, tokens) = (number, 0);
        }
        tokens += pair.cost();
    }
    packs.extend(one_pack(pairs, first..pairs.len()));
    packs
}

fn one_pack(pairs: &[&Pair], numbers: std::ops::Range<usize>) -> Vec<Pack> {
    let groups: Vec<_> = numbers.map(|number| pairs[number].group(number)).collect();
    pack(&groups, usize::MAX)
}

/// What a step's pairs tell, in the mean.
fn metrics(epoch: f64, told: &[PreferenceLoss]) -> DpoMetrics {
    let mean = |of: fn(&PreferenceLoss) -> f64| told.iter().map(of).sum::<f64>() / told.len().max(1) as f64;
    DpoMetrics {
        epoch,
        pairs: told.len(),
        chosen_reward: mean(|pair| pair.chosen_reward),
        rejected_reward: mean(|pair| pair.rejected_reward),
        margin: mean(|pair| pair.chosen_reward - pair.rejected_reward),
        accuracy: mean(|pair| f64::from(u8::from(pair.chosen_reward > pair.rejected_reward))),
        chosen_logp: mean(|pair| pair.chosen_logp),
        rejected_logp: mean(|pair| pair.rejected_logp),
    }
}

/// Where a run keeps the reference's log-probabilities.
const REFERENCES: &str = "reference_logprobs.json";

/// The reference's log-probabilities of each pair's chosen and rejected reply: those that the run wrote down before it was
/// cut off, or computed now and written down.
pub(crate) fn references(
    (pairs, config): (&[Pair], &DpoConfig),
    (learner, reference): (&Learner, &Policy),
    (run_dir, goes_on): (&Path, bool),
    observer: &mut dyn Observer,
) -> Result<Vec<[f64; 2]>, TrainError> {
    let path = run_dir.join(REFERENCES);
    if goes_on && path.exists() {
        return read_references(&path, pairs.len());
    }
    let all: Vec<&Pair> = pairs.iter().collect();
    let packs = packs(&all, config.offline.micro_tokens);
    let mut references = vec![[0.0; 2]; pairs.len()];
    let of = packs.len() as u64;
    observer.begin("reference", of);
    for (pack, number) in packs.iter().zip(1..) {
        let logp = learner.logprobs_under(reference, pack);
        for (place, own) in pack.split(&logp) {
            references[place.group][place.member] = own.iter().map(|&l| f64::from(l)).sum();
        }
        // Some ten lines, however many packs there are.
        if number == of || number.is_multiple_of(of.div_ceil(10)) {
            observer.progress(number, "");
        }
    }
    observer.end();
    write_whole(&path, &serde_json::to_vec(&references).unwrap_or_default())?;
    Ok(references)
}

fn read_references(path: &Path, pairs: usize) -> Result<Vec<[f64; 2]>, TrainError> {
    let broken = |what: String| TrainError::CheckpointFile { path: path.to_owned(), what };
    let bytes = std::fs::read(path).map_err(|e| broken(e.to_string()))?;
    let references: Vec<[f64; 2]> = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
    match references.len() {
        found if found == pairs => Ok(references),
        found => Err(broken(format!("{found} pairs where there are {pairs}"))),
    }
}

#[cfg(test)]
#[path = "dpo_tests.rs"]
mod tests;
