//! Decoding steps of a GPU: the kernels of a step are recorded for a few numbers of replies, and replayed.

use toolrl_kernels::{DecodeRoom, Mirrored, RopeTable, Sampling, StepGraph, StepNumbers, StepRoom};
use toolrl_policy::{JoinedProjections, KvCache, Policy};

use crate::draw::Draw;
use crate::slots::Layout;

/// The graphs of a batch.
pub(crate) struct Graphs<'a> {
    policy: &'a Policy,
    layout: Layout,
    members: usize,
    sampling: Sampling,
    table: Mirrored<RopeTable>,
    joined: JoinedProjections,
    /// That of the last step, and the number of replies that it computes. As nothing waits any more, that only shrinks,
    /// and a graph holds memory.
    last: Option<(usize, StepGraph)>,
}

impl<'a> Graphs<'a> {
    /// No graphs yet, of a batch whose groups have so many members.
    pub(crate) fn new(policy: &'a Policy, layout: Layout, members: usize, sampling: Sampling) -> Self {
        Self {
            policy,
            layout,
            members,
            sampling,
            table: policy.decoder().first_angles(layout.prompt + layout.reply),
            joined: policy.decoder().joined_projections(),
            last: None,
        }
    }

    /// One token for each reply; the draws of those whose logits are no finite numbers are `None`. Is `None` itself on
    /// the CPU, and for a policy with layers that see a window: what these read follows from a step's numbers on the host.
    pub(crate) fn step(
        &mut self,
        numbers: &StepNumbers<'_>,
        cache: &mut KvCache,
    ) -> Option<Vec<Option<Draw>>> {
        if self.policy.config().sliding.is_some() {
            return None;
        }
        let decoder = self.policy.decoder();
        let sequences = computed(numbers.tokens.len()).min(self.layout.slots);
        if self.last.as_ref().is_none_or(|(of, _)| *of != sequences) {
            self.last = None;
            let most = DecodeRoom {
                sequences,
                members: self.members.min(sequences),
                prefix: self.layout.prompt,
                own: self.layout.reply,
                rows: cache.rows(),
            };
            let room = StepRoom {
                most,
                table: self.table.clone(),
                heads: self.policy.config().heads,
                sampling: self.sampling,
            };
            self.last = Some((sequences, StepGraph::new(&decoder.head(), &room)?));
        }
        let (_, graph) = self.last.as_mut()?;
        let drawn = graph.run(numbers, |step| decoder.logits(decoder.decode(step, &self.joined, cache)));
        let drawn = drawn.tokens.into_iter().zip(drawn.logprobs);
        Some(drawn.map(|(token, logprob)| token.map(|token| Draw { token, logprob })).collect())
    }
}

/// How many replies a graph computes that serves so many: few sizes, since each is recorded by itself, after steps
/// that are not. Up to 64 a step reads the weights for as long as it multiplies, whatever the number.
fn computed(replies: usize) -> usize {
    [1, 4, 16].into_iter().find(|&size| replies <= size).unwrap_or_else(|| replies.next_multiple_of(64))
}

#[cfg(test)]
mod tests {
    use super::computed;

    #[test]
    fn a_graph_has_room_and_not_too_much() {
        let sizes: std::collections::BTreeSet<usize> = (1..=256).map(computed).collect();
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 4, 16, 64, 128, 192, 256]);
        assert!((1..2000).all(|n| computed(n) >= n && computed(n) < (4 * n).min(n + 64)));
    }
}
