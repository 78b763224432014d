//! One new token for each of many sequences: what a decoding step is given, and steps that a GPU replays.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::{CacheSpans, Draws, Heads, Ids, RopeTable, Sampling};

/// What the operations of a decoding step are given beside tensors: s of each.
#[derive(Clone, Debug)]
pub struct DecodeStep {
    /// The sequences' last tokens.
    pub tokens: Ids,
    /// The angles of their positions.
    pub table: Arc<RopeTable>,
    /// The cache's row that each writes.
    pub at: Arc<Vec<usize>>,
    /// The rows that each sees, its own among them.
    pub spans: Arc<Vec<CacheSpans>>,
}

/// A step's numbers, one of each a sequence.
#[derive(Clone, Copy, Debug)]
pub struct StepNumbers<'a> {
    /// The last tokens.
    pub tokens: &'a [u32],
    /// The rows that each sees. The last of its own is written.
    pub spans: &'a [CacheSpans],
    /// Numbers in [0, 1) by which tokens are drawn.
    pub uniforms: &'a [f64],
}

/// The most that the steps of a [`StepGraph`] need, and how they draw.
#[derive(Clone, Debug)]
pub struct StepRoom {
    /// Sequences: as many are computed in each step, those that are not there too.
    pub sequences: usize,
    /// Sequences that share a prompt.
    pub members: usize,
    /// Rows of a prompt.
    pub prefix: usize,
    /// Rows of a reply.
    pub own: usize,
    /// Rows of the cache.
    pub rows: usize,
    /// The angles of every position below that of a longest sequence's end.
    pub table: Arc<RopeTable>,
    /// The heads' sizes.
    pub heads: Heads,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

#[cfg(feature = "cube")]
impl StepRoom {
    /// The plan's share.
    pub(crate) fn plan(&self) -> toolrl_cube::DecodeRoom {
        let Self { sequences, members, prefix, own, rows, .. } = *self;
        toolrl_cube::DecodeRoom { sequences, members, prefix, own, rows }
    }
}

/// Decoding steps on a GPU, from token ids to drawn tokens, whose kernels are recorded the first time and then replayed
/// with other numbers: a step costs one launch, not hundreds.
///
/// Weights and cache must stay where they are, and steps be run by the thread that made this, since the GPU's queues are
/// by thread: on another they are enqueued kernel by kernel.
#[derive(Debug)]
pub struct StepGraph {
    #[cfg(feature = "cube")]
    graph: crate::cube::StepGraph,
    #[cfg(not(feature = "cube"))]
    never: std::convert::Infallible,
}

impl StepGraph {
    /// Steps on the GPU that holds a tensor, a weight say. `None` on the CPU.
    pub fn new(beside: &Tensor<2>, room: &StepRoom) -> Option<Self> {
        #[cfg(feature = "cube")]
        return crate::cube::StepGraph::new(beside, room).map(|graph| Self { graph });
        #[cfg(not(feature = "cube"))]
        {
            let _ = (beside, room);
            None
        }
    }

    /// Whether steps are replayed: not before the first, nor where the device's driver refused to record it.
    pub fn is_recorded(&self) -> bool {
        #[cfg(feature = "cube")]
        return self.graph.is_recorded();
        #[cfg(not(feature = "cube"))]
        match self.never {}
    }

    /// One step. `forward` makes the logits, `[sequences, v]`, of what a step is given, by the operations of this crate;
    /// the same each time. Draws as [`draw`](crate::draw()) does.
    pub fn run(&mut self, numbers: &StepNumbers<'_>, forward: impl FnMut(&DecodeStep) -> Tensor<2>) -> Draws {
        #[cfg(feature = "cube")]
        return self.graph.run(numbers, forward);
        #[cfg(not(feature = "cube"))]
        {
            let _ = (numbers, forward);
            match self.never {}
        }
    }
}
