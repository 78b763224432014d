//! Updates of the policy by credited replies.

use std::borrow::Borrow;

use toolrl_grpo::Diagnostics;
use toolrl_record::LogprobGap;
use toolrl_rollout::Group;

use super::{Credited, Rl};
use crate::learner::{Learner, Update};
use crate::loss::{extent, loss};
use crate::order::shuffled;
use crate::pack::{Pack, Place};
use crate::{PassOrder, TrainError};

/// What a step's updates were, together.
#[derive(Default)]
pub(crate) struct Updates {
    pub diagnostics: Diagnostics,
    /// The same of each pass by itself.
    pub by_pass: Vec<Diagnostics>,
    pub gap: Gap,
    /// Sum over the tokens trained, in nats.
    pub entropy: f64,
    pub by_update: Vec<Update>,
}

impl Updates {
    /// Begins another pass.
    pub(crate) fn begin_pass(&mut self) {
        self.by_pass.push(Diagnostics::default());
    }
}

impl Rl<'_> {
    /// The positions of the step's groups dealt out to the updates of a pass (from 0), of which there are fewer only where
    /// there are fewer groups. What is left out after the last group that is trained on belongs to none.
    pub(crate) fn mini_batches(
        &self,
        credited: &[Group<Credited>],
        (step, pass): (u64, usize),
    ) -> Vec<Vec<usize>> {
        let trained = |group: &Group<Credited>| group.members.iter().any(|m| m.experience().is_some());
        let used = credited.iter().rposition(trained).map_or(0, |last| last + 1);
        let positions: Vec<usize> = match self.config.pass_order {
            PassOrder::Shuffled if pass > 0 => shuffled(self.recipe.seed, step, pass, used),
            _ => (0..used).collect(),
        };
        dealt(&positions, self.config.updates).into_iter().map(<[usize]>::to_vec).collect()
    }

    /// One optimiser step over some groups.
    pub(crate) fn update(
        &self,
        learner: &mut Learner,
        (step, lr): (u64, f64),
        groups: &[impl Borrow<Group<Credited>>],
        updates: &mut Updates,
    ) -> Result<(), TrainError> {
        let groups: Vec<&Group<Credited>> = groups.iter().map(Borrow::borrow).collect();
        let members = groups.iter().flat_map(|group| &group.members);
        let extent = extent(members.filter_map(Credited::experience));
        let config = self.divergence.present(self.config).loss;
        // Without a divergence term or an entropy bonus, a member without advantage has no gradient.
        let all = self.config.loss.kl.is_some() || self.config.loss.entropy_coef != 0.0;
        let packs = self.packs(groups.iter().copied(), |m| {
            if all { m.experience().is_some() } else { m.has_advantage() }
        });
        // Until an update trains a token, the sampler and the trainer hold the same weights.
        let measures_gap = updates.by_update.iter().all(|update| update.tokens == 0);
        let update = learner.update(step, &packs, lr, |pack, logp, entropy| {
            if measures_gap {
                updates.gap.add(pack, logp, &groups);
            }
            updates.entropy += entropy.iter().map(|&e| f64::from(e)).sum::<f64>();
            let experience = |place: Place| groups[place.group].members[place.member].experience();
            let output = loss(pack, (logp, entropy), experience, extent, &config);
            let output = output.map_err(|source| TrainError::Loss { step, source })?;
            updates.diagnostics.merge(&output.diagnostics);
            updates.by_pass.last_mut().into_iter().for_each(|pass| pass.merge(&output.diagnostics));
            Ok(output.into())
        })?;
        updates.by_update.push(update);
        Ok(())
    }
}

/// Cut into so many parts whose sizes differ by one at most; into fewer where there are fewer items.
fn dealt<T>(mut items: &[T], parts: usize) -> Vec<&[T]> {
    let parts = parts.min(items.len());
    let of_part = |left: usize| {
        let (part, rest) = items.split_at(items.len().div_ceil(left));
        items = rest;
        part
    };
    (1..=parts).rev().map(of_part).collect()
}

/// `|sampler - trainer|` over tokens.
#[derive(Default)]
pub(crate) struct Gap {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Gap {
    fn add(&mut self, pack: &Pack, logp: &[f32], groups: &[&Group<Credited>]) {
        for (place, trained) in pack.split(logp) {
            let sampled = &groups[place.group].members[place.member].measured.scored.episode.logprobs;
            for (sampler, trainer) in sampled.iter().zip(trained) {
                let gap = f64::from((sampler - trainer).abs());
                self.sum += gap;
                self.max = self.max.max(gap);
                self.tokens += 1;
            }
        }
    }

    pub(crate) fn finish(&self) -> LogprobGap {
        LogprobGap { mean: self.sum / self.tokens.max(1) as f64, max: self.max }
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
