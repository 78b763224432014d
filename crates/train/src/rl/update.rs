//! Updates of the policy by credited replies.

use toolrl_grpo::Diagnostics;
use toolrl_record::LogprobGap;
use toolrl_rollout::Group;

use super::{Credited, Rl};
use crate::TrainError;
use crate::learner::{Learner, Update};
use crate::loss::{extent, loss};
use crate::pack::{Pack, Place};

/// What a step's updates were, together.
#[derive(Default)]
pub(crate) struct Updates {
    pub diagnostics: Diagnostics,
    pub gap: Gap,
    /// Sum over the tokens trained, in nats.
    pub entropy: f64,
    pub by_update: Vec<Update>,
}

impl Rl<'_> {
    /// The step's groups dealt out to its updates, of which there are fewer only where there are fewer groups. What is left out after the last group that is trained on belongs to
    /// none.
    pub(crate) fn mini_batches<'r>(&self, credited: &'r [Group<Credited>]) -> Vec<&'r [Group<Credited>]> {
        let trained = |group: &Group<Credited>| group.members.iter().any(|m| m.experience().is_some());
        let used = credited.iter().rposition(trained).map_or(0, |last| last + 1);
        dealt(&credited[..used], self.config.updates)
    }

    /// One optimiser step over some groups.
    pub(crate) fn update(
        &self,
        learner: &mut Learner,
        (step, lr): (u64, f64),
        groups: &[Group<Credited>],
        updates: &mut Updates,
    ) -> Result<(), TrainError> {
        let members = groups.iter().flat_map(|group| &group.members);
        let extent = extent(members.filter_map(Credited::experience));
        // Without a divergence term or an entropy bonus, a member without advantage has no gradient.
        let all = self.config.loss.kl.is_some() || self.config.loss.entropy_coef != 0.0;
        let packs = self.packs(groups, |m| if all { m.experience().is_some() } else { m.has_advantage() });
        // Before the first update the sampler and the trainer hold the same weights.
        let measures_gap = updates.by_update.is_empty();
        let update = learner.update(step, &packs, lr, |pack, logp, entropy| {
            if measures_gap {
                updates.gap.add(pack, logp, groups);
            }
            updates.entropy += entropy.iter().map(|&e| f64::from(e)).sum::<f64>();
            let experience = |place: Place| groups[place.group].members[place.member].experience();
            let output = loss(pack, (logp, entropy), experience, extent, &self.config.loss);
            let output = output.map_err(|source| TrainError::Loss { step, source })?;
            updates.diagnostics.merge(&output.diagnostics);
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
    fn add(&mut self, pack: &Pack, logp: &[f32], groups: &[Group<Credited>]) {
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
