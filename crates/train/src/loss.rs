//! From a pack's log-probabilities to its loss: the one way of every policy-gradient update.

use toolrl_grpo::{Advantage, BatchExtent, GrpoError, LossConfig, LossOutput, Sequence, policy_loss};
use toolrl_policy::Derivatives;

use crate::learner::PackLoss;
use crate::pack::{Pack, Place};

/// What is known of a member before an update's forward pass; each slice holds a number a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Experience<'a> {
    /// Log-probabilities under the policy before the step's first update.
    pub old_logp: &'a [f32],
    /// The sampler's, where it is not that policy to the last bit.
    pub sampler_logp: Option<&'a [f32]>,
    /// The reference's, where there is one.
    pub ref_logp: Option<&'a [f32]>,
    pub advantage: Advantage<'a>,
}

/// The extent of an update that trains on these.
pub(crate) fn extent<'a>(batch: impl Iterator<Item = Experience<'a>>) -> BatchExtent {
    let empty = BatchExtent { sequences: 0, tokens: 0 };
    batch.fold(empty, |extent, of| BatchExtent {
        sequences: extent.sequences + 1,
        tokens: extent.tokens + of.old_logp.len(),
    })
}

/// The loss of a pack's members and its derivatives. `experience` knows each of them.
pub(crate) fn loss<'a>(
    pack: &Pack,
    (logp, entropy): (&'a [f32], &'a [f32]),
    mut experience: impl FnMut(Place) -> Option<Experience<'a>>,
    extent: BatchExtent,
    config: &LossConfig,
) -> Result<LossOutput, GrpoError> {
    let members = pack.split(logp).zip(pack.split(entropy));
    let sequences: Vec<_> = members
        .filter_map(|((place, logp), (_, entropy))| {
            let Experience { old_logp, sampler_logp, ref_logp, advantage } = experience(place)?;
            Some(Sequence { logp, old_logp, ref_logp, entropy: Some(entropy), sampler_logp, advantage })
        })
        .collect();
    policy_loss(&sequences, extent, config)
}

impl From<LossOutput> for PackLoss {
    fn from(output: LossOutput) -> Self {
        let derivatives = Derivatives { by_logp: output.d_logp, by_entropy: output.d_entropy };
        Self { loss: output.loss, derivatives }
    }
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
