//! Decoding steps of a GPU: the kernels of a step are recorded for a few numbers of replies, and replayed.

use std::sync::Arc;

use toolrl_kernels::{RopeTable, Sampling, StepGraph, StepNumbers, StepRoom};
use toolrl_policy::{JoinedProjections, KvCache, Policy};
use toolrl_rollout::SamplingParams;

use crate::draw::Draw;
use crate::slots::Layout;

/// The graphs of a batch.
pub(crate) struct Graphs<'a> {
    policy: &'a Policy,
    layout: Layout,
    members: usize,
    sampling: Sampling,
    table: Arc<RopeTable>,
    joined: JoinedProjections,
    /// That of the last step, and the number of replies that it computes. As nothing waits any more, that only shrinks,
    /// and a graph holds memory.
    last: Option<(usize, StepGraph)>,
}

impl<'a> Graphs<'a> {
    /// No graphs yet, of a batch whose groups have so many members.
    pub(crate) fn new(policy: &'a Policy, layout: Layout, members: usize, params: &SamplingParams) -> Self {
        let SamplingParams { temperature, top_p, .. } = *params;
        Self {
            policy,
            layout,
            members,
            sampling: Sampling { temperature, top_p },
            table: policy.decoder().first_angles(layout.prompt + layout.reply),
            joined: policy.decoder().joined_projections(),
            last: None,
        }
    }

    /// One token for each reply; the draws of those whose logits are no finite numbers are `None`. Is `None` itself on
    /// the CPU.
    pub(crate) fn step(
        &mut self,
        numbers: &StepNumbers<'_>,
        cache: &mut KvCache,
    ) -> Option<Vec<Option<Draw>>> {
        let decoder = self.policy.decoder();
        // Powers of two: a graph serves all numbers of replies down to half of its own.
        let sequences = numbers.tokens.len().next_power_of_two().min(self.layout.slots);
        if self.last.as_ref().is_none_or(|(of, _)| *of != sequences) {
            self.last = None;
            let room = StepRoom {
                sequences,
                members: self.members.min(sequences),
                prefix: self.layout.prompt,
                own: self.layout.reply,
                rows: cache.rows(),
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
