//! A decoding step whose kernels are recorded once and replayed with other numbers.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Angles, DecodePlan, Drawn, Indices, Recording, Runs, gather_rows, sample};

use super::copies::uploads;
use super::tensor::{buffer, contiguous, fits};
use crate::step::{DecodeStep, ReplayedSteps, StepNumbers, StepRoom};
use crate::{Draws, Mirrored, RopeTable};

/// See [`crate::StepGraph`].
#[derive(Debug)]
pub(super) struct StepGraph {
    /// Any tensor of the device.
    beside: CubeTensor,
    room: StepRoom,
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
    Recorded(Box<Recording<Drawn>>),
    /// Enqueued kernel by kernel, because the device does not record it.
    Plain,
}

impl StepGraph {
    /// On the device of a tensor.
    pub(super) fn new(beside: CubeTensor, room: &StepRoom) -> Self {
        let inputs = Runs::empty(&beside.client, &[room.most.sequences; 4]);
        Self {
            angles: room.table.beside(&beside),
            ids: Arc::new(inputs.indices(IDS)),
            at: Arc::new(inputs.indices(AT)),
            plan: Arc::new(fits(DecodePlan::with_room(&beside.client, room.most, room.heads))),
            room: room.clone(),
            inputs,
            beside,
            work: Work::New { refused: 0 },
            thread: thread::current().id(),
        }
    }

    /// Records a step. CUDA would record an upload with it, and replay what it held then.
    fn record(&self, forward: &mut dyn FnMut(&DecodeStep) -> Tensor<2>) -> Result<Recording<Drawn>, String> {
        let before = uploads();
        let recording = Recording::new(&self.beside.client, || self.enqueue(forward));
        match uploads() - before {
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
        let mut at = vec![self.room.most.rows as u32; self.room.most.sequences];
        at.iter_mut().zip(spans).for_each(|(at, s)| *at = (s.own.0 + s.own.1 - 1) as u32);
        let uniforms: Vec<u32> = numbers.uniforms.iter().map(|&u| below_one(u).to_bits()).collect();
        self.inputs.write(client, [numbers.tokens, &positions, &at, &uniforms]);
        fits(self.plan.write(client, spans));
    }

    /// Enqueues a step's kernels.
    fn enqueue(&self, forward: &mut dyn FnMut(&DecodeStep) -> Tensor<2>) -> Drawn {
        let (client, device) = (&self.beside.client, &self.beside.device);
        let (half, positions) = (self.angles.half, self.inputs.indices(POSITIONS));
        let [cos, sin] =
            [&self.angles.cos, &self.angles.sin].map(|all| fits(gather_rows(client, all, &positions, half)));
        // What the memory holds is known there alone.
        let step = DecodeStep {
            tokens: Mirrored::standing_for(Vec::new(), device, self.ids.clone()),
            table: Mirrored::standing_for(RopeTable::default(), device, Arc::new(Angles { cos, sin, half })),
            at: Mirrored::standing_for(Vec::new(), device, self.at.clone()),
            spans: Mirrored::standing_for(Vec::new(), device, self.plan.clone()),
        };
        let DispatchTensorKind::Cube(BackendTensor::Float(logits)) = forward(&step).into_dispatch().kind
        else {
            panic!("a step's logits should be where its weights are")
        };
        let uniforms = self.inputs.floats(UNIFORMS);
        fits(sample(client, &buffer(&contiguous(logits)), &uniforms, &self.room.sampling))
    }
}

impl ReplayedSteps for StepGraph {
    fn is_recorded(&self) -> bool {
        matches!(self.work, Work::Recorded(_))
    }

    fn run(&mut self, numbers: &StepNumbers<'_>, forward: &mut dyn FnMut(&DecodeStep) -> Tensor<2>) -> Draws {
        self.write(numbers);
        let client = self.beside.client.clone();
        if self.thread != thread::current().id() {
            // Its queue is another.
            return first(fits(self.enqueue(forward).read(&client)), numbers);
        }
        if let Work::New { refused } = self.work {
            // Kernels are compiled before anything is recorded.
            drop(self.enqueue(forward));
            self.work = match self.record(forward) {
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
                fits(recording.output().read(&client))
            }
            Work::New { .. } | Work::Plain => fits(self.enqueue(forward).read(&client)),
        };
        first(drawn, numbers)
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

/// The f32 below or at a number in [0, 1), never 1.
fn below_one(uniform: f64) -> f32 {
    let near = uniform as f32;
    if f64::from(near) > uniform { near.next_down() } else { near }
}
