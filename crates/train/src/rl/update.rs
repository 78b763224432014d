//! Updates of the policy by credited replies.

use toolrl_grpo::{BatchExtent, Diagnostics, GrpoError, LossOutput, Sequence, policy_loss};
use toolrl_policy::Derivatives;
use toolrl_record::LogprobGap;

use super::{Credited, Rl};
use crate::TrainError;
use crate::learner::{Learner, PackLoss, Update};
use crate::pack::Pack;

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
    /// The step's replies dealt out to its updates, in whole groups. What is left out after the last group that is
    /// trained on belongs to none.
    pub(crate) fn mini_batches<'r>(&self, credited: &'r [Credited]) -> Vec<&'r [Credited]> {
        let last = credited.iter().rposition(|reply| reply.sequence().is_some());
        let used = last.map_or(0, |last| last / self.group_size + 1);
        let each = used.div_ceil(self.config.updates).max(1);
        credited[..used * self.group_size].chunks(each * self.group_size).collect()
    }

    /// One optimiser step over some whole groups.
    pub(crate) fn update(
        &self,
        learner: &mut Learner,
        (step, lr): (u64, f64),
        replies: &[Credited],
        updates: &mut Updates,
    ) -> Result<(), TrainError> {
        let sequences: Vec<_> = replies.iter().filter_map(Credited::sequence).collect();
        let extent = BatchExtent::of(&sequences);
        // Without a divergence term or an entropy bonus, a reply without advantage has no gradient.
        let all = self.config.loss.kl.is_some() || self.config.loss.entropy_coef != 0.0;
        let packs = self.packs(replies, |r| if all { r.sequence().is_some() } else { r.has_advantage() });
        // Before the first update the sampler and the trainer hold the same weights.
        let measures_gap = updates.by_update.is_empty();
        let update = learner.update(step, &packs, lr, |pack, logp, entropy| {
            if measures_gap {
                updates.gap.add(pack, logp, replies);
            }
            updates.entropy += entropy.iter().map(|&e| f64::from(e)).sum::<f64>();
            let output = self.loss(pack, logp, entropy, replies, extent);
            let LossOutput { loss, d_logp, d_entropy, diagnostics } =
                output.map_err(|source| TrainError::Loss { step, source })?;
            updates.diagnostics.merge(&diagnostics);
            Ok(PackLoss { loss, derivatives: Derivatives { by_logp: d_logp, by_entropy: d_entropy } })
        })?;
        updates.by_update.push(update);
        Ok(())
    }

    /// The loss of one pack's replies.
    fn loss(
        &self,
        pack: &Pack,
        logp: &[f32],
        entropy: &[f32],
        replies: &[Credited],
        extent: BatchExtent,
    ) -> Result<LossOutput, GrpoError> {
        let mut start = 0;
        let sequences: Vec<_> = pack
            .replies
            .iter()
            .filter_map(|&(number, len)| {
                let at = start..start + len;
                start += len;
                let sequence = replies[number].sequence()?;
                Some(Sequence { logp: &logp[at.clone()], entropy: Some(&entropy[at]), ..sequence })
            })
            .collect();
        policy_loss(&sequences, extent, &self.config.loss)
    }
}

/// `|sampler - trainer|` over tokens.
#[derive(Default)]
pub(crate) struct Gap {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Gap {
    fn add(&mut self, pack: &Pack, logp: &[f32], replies: &[Credited]) {
        let sampled = |&(number, _): &(usize, usize)| &replies[number].measured.scored.trajectory.logprobs;
        for (sampler, trainer) in pack.replies.iter().flat_map(sampled).zip(logp) {
            let gap = f64::from((sampler - trainer).abs());
            self.sum += gap;
            self.max = self.max.max(gap);
            self.tokens += 1;
        }
    }

    pub(crate) fn finish(&self) -> LogprobGap {
        LogprobGap { mean: self.sum / self.tokens.max(1) as f64, max: self.max }
    }
}
