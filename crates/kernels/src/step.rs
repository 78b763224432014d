//! One new token for each of many sequences: what a decoding step is given, and steps that a GPU replays.

use std::fmt::Debug;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::FusedOps;
use crate::{CacheSpans, DecodeRoom, Draws, Heads, Ids, Mirrored, RopeTable, Sampling};

/// What the operations of a decoding step are given beside tensors: s of each.
#[derive(Clone, Debug)]
pub struct DecodeStep {
    /// The sequences' last tokens.
    pub tokens: Ids,
    /// The angles of their positions.
    pub table: Mirrored<RopeTable>,
    /// The cache's row that each writes.
    pub at: Ids,
    /// The rows that each sees, its own among them.
    pub spans: Mirrored<Vec<CacheSpans>>,
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
    /// Sequences, and rows of the cache.
    pub most: DecodeRoom,
    /// The angles of every position below that of a longest sequence's end.
    pub table: Mirrored<RopeTable>,
    /// The heads' sizes.
    pub heads: Heads,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

/// Decoding steps on a GPU, from token ids to drawn tokens, whose kernels are recorded the first time and then replayed
/// with other numbers: a step costs one launch, not hundreds.
///
/// Weights and cache must stay where they are, and steps be run by the thread that made this, since the GPU's queues are
/// by thread: on another they are enqueued kernel by kernel.
#[derive(Debug)]
pub struct StepGraph(Box<dyn ReplayedSteps>);

impl StepGraph {
    /// Steps on the GPU that holds a tensor, a weight say. `None` on the CPU.
    pub fn new(beside: &Tensor<2>, room: &StepRoom) -> Option<Self> {
        Dispatch::step_graph(beside.clone().into_dispatch(), room).map(Self)
    }

    /// Whether steps are replayed: not before the first, nor where the device's driver refused to record it.
    pub fn is_recorded(&self) -> bool {
        self.0.is_recorded()
    }

    /// One step. `forward` makes the logits, `[sequences, v]`, of what a step is given, by the operations of this crate;
    /// the same each time. A token is drawn from each row by inverting the cumulative distribution at the row's number,
    /// with sums in f32: a number within some 1e-6 of where a token ends and the next begins may give either.
    pub fn run(
        &mut self,
        numbers: &StepNumbers<'_>,
        mut forward: impl FnMut(&DecodeStep) -> Tensor<2>,
    ) -> Draws {
        self.0.run(numbers, &mut forward)
    }
}

/// A backend's [`StepGraph`].
pub trait ReplayedSteps: Debug + Send + Sync {
    /// See [`StepGraph::is_recorded`].
    fn is_recorded(&self) -> bool;

    /// See [`StepGraph::run`].
    fn run(&mut self, numbers: &StepNumbers<'_>, forward: &mut dyn FnMut(&DecodeStep) -> Tensor<2>) -> Draws;
}
