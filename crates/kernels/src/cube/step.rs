//! A decoding step whose kernels are recorded once and replayed with other numbers.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{DecodePlan, Indices, Recording, RopeTable as Angles, Runs, gather_rows, sample};

use super::decoding::lower;
use super::draw::{self, below_one};
use super::tensor::{buffer, contiguous, fits};
use super::upload;
use crate::{DecodeStep, Draws, RopeTable, StepNumbers, StepRoom};

/// See [`crate::StepGraph`].
#[derive(Debug)]
pub(crate) struct StepGraph {
    /// Any tensor of the device.
    beside: CubeTensor,
    room: StepRoom,
    /// Stands for what is in the memory below.
    step: DecodeStep,
    /// The angles of all positions.
    angles: Arc<Angles>,
    /// Token ids, positions, places in the cache and random numbers.
    inputs: Runs,
    ids: Arc<Indices>,
    at: Arc<Indices>,
    plan: Arc<DecodePlan>,
    work: Work,
    /// Whose queue the work is recorded for.
    thread: ThreadId,
}

/// Attempts to record. One can fail by chance, where memory was freed a moment too late.
const ATTEMPTS: u32 = 3;

#[derive(Debug)]
enum Work {
    /// Not recorded yet, though so many attempts were made.
    New { refused: u32 },
    /// Recorded.
    Recorded(Box<Recording<toolrl_cube::Draws>>),
    /// Enqueued kernel by kernel, because the device does not record it.
    Plain,
}

impl StepGraph {
    /// On the device of a tensor. `None` on the CPU.
    pub(crate) fn new(beside: &Tensor<2>, room: &StepRoom) -> Option<Self> {
        let beside = lower(beside.clone())?;
        let client = &beside.client;
        let inputs = Runs::empty(client, &[room.sequences; 4]);
        let (ids, at) = (Arc::new(inputs.indices(IDS)), Arc::new(inputs.indices(AT)));
        let plan = DecodePlan::with_room(client, room.plan(), upload::sizes(room.heads));
        Some(Self {
            angles: upload::angles(&room.table, &beside),
            step: DecodeStep {
                tokens: Arc::new(Vec::new()),
                table: Arc::new(RopeTable::new(&[], &[])),
                at: Arc::new(Vec::new()),
                spans: Arc::new(Vec::new()),
            },
            plan: Arc::new(fits(plan)),
            room: room.clone(),
            inputs,
            ids,
            at,
            beside,
            work: Work::New { refused: 0 },
            thread: thread::current().id(),
        })
    }

    /// See [`crate::StepGraph::is_recorded`].
    pub(crate) fn is_recorded(&self) -> bool {
        matches!(self.work, Work::Recorded(_))
    }

    /// See [`crate::StepGraph::run`].
    pub(crate) fn run(
        &mut self,
        numbers: &StepNumbers<'_>,
        mut forward: impl FnMut(&DecodeStep) -> Tensor<2>,
    ) -> Draws {
        self.write(numbers);
        let client = self.beside.client.clone();
        if self.thread != thread::current().id() {
            // Its queue is another.
            return first(draw::read(&client, &self.enqueue(&mut forward)), numbers);
        }
        if let Work::New { refused } = self.work {
            // Kernels are compiled before anything is recorded.
            drop(self.enqueue(&mut forward));
            self.work = match self.record(&mut forward) {
                Ok(recording) => Work::Recorded(Box::new(recording)),
                Err(_) if refused + 1 < ATTEMPTS => Work::New { refused: refused + 1 },
                Err(problem) => {
                    tracing::warn!("decoding steps are enqueued kernel by kernel: {problem}");
                    Work::Plain
                }
            };
        }
        let drawn = match &self.work {
            Work::Recorded(recording) => {
                // SAFETY: the numbers and the plan are this value's, weights and cache the caller's, who keeps them
                // where they are; the thread is the one that recorded.
                fits(unsafe { recording.replay() });
                draw::read(&client, recording.output())
            }
            Work::New { .. } | Work::Plain => draw::read(&client, &self.enqueue(&mut forward)),
        };
        first(drawn, numbers)
    }

    /// Records a step. CUDA would record an upload with it, and replay what it held then.
    fn record(
        &self,
        forward: &mut impl FnMut(&DecodeStep) -> Tensor<2>,
    ) -> Result<Recording<toolrl_cube::Draws>, String> {
        let before = upload::uploads();
        let recording = Recording::new(&self.beside.client, || self.enqueue(forward));
        match upload::uploads() - before {
            0 => recording.map_err(|error| error.to_string()),
            uploads => Err(format!("{uploads} uploads in it")),
        }
    }

    /// Writes a step's numbers where the kernels read them.
    fn write(&self, numbers: &StepNumbers<'_>) {
        let client = &self.beside.client;
        let spans = numbers.spans;
        let positions: Vec<u32> = spans.iter().map(|s| s.len() as u32 - 1).collect();
        // Sequences that are not there write beyond the cache, which is left out.
        let mut at = vec![self.room.rows as u32; self.room.sequences];
        at.iter_mut().zip(spans).for_each(|(at, s)| *at = (s.own.0 + s.own.1 - 1) as u32);
        let uniforms: Vec<u32> = numbers.uniforms.iter().map(|&u| below_one(u).to_bits()).collect();
        self.inputs.write(client, [numbers.tokens, &positions, &at, &uniforms]);
        let spans: Vec<_> =
            spans.iter().map(|s| toolrl_cube::CacheSpans { prefix: s.prefix, own: s.own }).collect();
        fits(self.plan.write(client, &spans));
    }

    /// Enqueues a step's kernels.
    fn enqueue(&self, forward: &mut impl FnMut(&DecodeStep) -> Tensor<2>) -> toolrl_cube::Draws {
        let (client, device) = (&self.beside.client, &self.beside.device);
        let (half, positions) = (self.angles.half, self.inputs.indices(POSITIONS));
        let [cos, sin] =
            [&self.angles.cos, &self.angles.sin].map(|all| fits(gather_rows(client, all, &positions, half)));
        upload::stand_for(&self.step.tokens, device, self.ids.clone());
        upload::stand_for(&self.step.at, device, self.at.clone());
        upload::stand_for(&self.step.table, device, Arc::new(Angles { cos, sin, half }));
        upload::stand_for(&self.step.spans, device, self.plan.clone());
        let logits = forward(&self.step);
        let logits = contiguous(
            lower(logits).unwrap_or_else(|| panic!("a step's logits should be where its weights are")),
        );
        fits(sample(
            client,
            &buffer(&logits),
            &self.inputs.floats(UNIFORMS),
            &draw::params(&self.room.sampling),
        ))
    }
}

/// The draws of the sequences that are there.
fn first(drawn: Draws, numbers: &StepNumbers<'_>) -> Draws {
    let n = numbers.tokens.len();
    Draws {
        tokens: drawn.tokens.into_iter().take(n).collect(),
        logprobs: drawn.logprobs.into_iter().take(n).collect(),
    }
}

/// The runs of a graph's inputs.
const IDS: usize = 0;
const POSITIONS: usize = 1;
const AT: usize = 2;
const UNIFORMS: usize = 3;
