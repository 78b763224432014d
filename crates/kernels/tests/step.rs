//! Decoding steps that a GPU replays against the same steps on the CPU.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use burn::tensor::{Device, Tensor};
use common::setup;
use toolrl_kernels::{
    CacheSpans, DecodeRoom, DecodeStep, Heads, NewRows, Projected, RopeTable, Sampling, StepGraph,
    StepNumbers, StepRoom, add_rms_norm, decode_attention, embedding, is_cpu, linear, place,
};
use toolrl_testing::device;

const HEADS: Heads = Heads { query: 4, kv: 2, dim: 8 };
const VOCABULARY: usize = 50;
const ROWS: usize = 40;
const FREQUENCIES: [f32; 4] = [1.0, 0.3, 0.1, 0.03];

/// One layer of a model, with a cache that holds something already.
struct Model {
    table: Tensor<2>,
    projections: [Tensor<2>; 3],
    biases: [Tensor<1>; 3],
    norm: Tensor<1>,
    head: Tensor<2>,
    caches: Option<[Tensor<2>; 2]>,
    /// Whether the projections are one product.
    joined: bool,
}

impl Model {
    fn new(device: &Device, joined: bool) -> Self {
        let mut rng = setup(9).0;
        let widths = [HEADS.query, HEADS.kv, HEADS.kv].map(|n| n * HEADS.dim);
        let mut matrix = |rows, columns| rng.tensor([rows, columns], &device.clone().autodiff()).inner();
        Self {
            table: matrix(VOCABULARY, widths[0]),
            projections: widths.map(|width| matrix(width, widths[0])),
            biases: widths.map(|width| matrix(1, width).reshape([width])),
            norm: matrix(1, widths[0]).reshape([widths[0]]),
            head: matrix(VOCABULARY, widths[0]),
            caches: Some([matrix(ROWS, widths[1]), matrix(ROWS, widths[1])]),
            joined,
        }
    }

    /// A step's logits.
    fn forward(&mut self, step: &DecodeStep) -> Tensor<2> {
        let x = embedding(self.table.clone(), step.tokens.clone());
        let product = |weight: &Tensor<2>| linear(x.clone(), weight.clone());
        let qkv = if self.joined {
            Projected::Joined(product(&Tensor::cat(self.projections.to_vec(), 0)))
        } else {
            Projected::Apart(self.projections.each_ref().map(product))
        };
        let new = NewRows { qkv, biases: Some(self.biases.clone()) };
        let (q, caches) = place(new, self.caches.take().unwrap(), step, HEADS);
        let [k, v] = caches.clone();
        let attended = decode_attention(q, k, v, step.spans.clone(), HEADS);
        self.caches = Some(caches);
        let [sum, normed] = add_rms_norm(x, attended, self.norm.clone(), 1e-6);
        linear(sum + normed, self.head.clone())
    }
}

/// Spans that share a prompt, that have one alone, and that have none.
fn spans(step: usize) -> Vec<CacheSpans> {
    let shared = |start| CacheSpans { prefix: (2, 7), own: (start, step + 1) };
    match step {
        0 => vec![shared(10), shared(15), CacheSpans { prefix: (0, 1), own: (20, 1) }],
        1 => vec![shared(15)],
        _ => vec![shared(15), CacheSpans { prefix: (0, 0), own: (25, step) }, shared(10)],
    }
}

/// The room of [`spans`].
fn room(sampling: Sampling) -> StepRoom {
    StepRoom {
        most: DecodeRoom { sequences: 3, members: 2, prefix: 7, own: 5, rows: ROWS },
        table: RopeTable::new(&(0..12).collect::<Vec<_>>(), &FREQUENCIES).into(),
        heads: HEADS,
        sampling,
    }
}

/// Runs four steps on the GPU by `forward`, and holds them against the CPU's. `None` without a GPU.
fn steps(sampling: Sampling, forward: impl Fn(&mut Model, &DecodeStep) -> Tensor<2>) -> Option<StepGraph> {
    let (mut here, mut there) = (Model::new(&Device::flex(), false), Model::new(&device(), true));
    let graph = StepGraph::new(&there.head, &room(sampling));
    assert_eq!(graph.is_none(), is_cpu(&device()));
    let mut graph = graph?;
    assert!(!graph.is_recorded());
    for step in 0..4 {
        let spans = spans(step);
        let tokens: Vec<u32> = (0..spans.len()).map(|i| (7 * step + 13 * i) as u32 % 50).collect();
        let uniforms: Vec<f64> = (0..spans.len()).map(|i| 0.13 + 0.29 * i as f64).collect();
        let numbers = StepNumbers { tokens: &tokens, spans: &spans, uniforms: &uniforms };
        let found = graph.run(&numbers, |step| forward(&mut there, step));

        let positions: Vec<usize> = spans.iter().map(|s| s.len() - 1).collect();
        let at = spans.iter().map(|s| (s.own.0 + s.own.1 - 1) as u32).collect::<Vec<_>>();
        let logits = here.forward(&DecodeStep {
            tokens: tokens.into(),
            table: RopeTable::new(&positions, &FREQUENCIES).into(),
            at: at.into(),
            spans: spans.into(),
        });
        let logits: Vec<f32> = logits.into_data().try_into_vec().unwrap();
        assert_eq!(found.tokens.len(), uniforms.len());
        for (i, row) in logits.chunks_exact(VOCABULARY).enumerate() {
            let expected = drawn(row, uniforms[i], sampling.temperature);
            assert_eq!(found.tokens[i], Some(expected.0), "step {step}, sequence {i}");
            assert!((found.logprobs[i] - expected.1).abs() < 1e-4, "step {step}, sequence {i}");
        }
    }
    Some(graph)
}

#[test]
fn replayed_steps_are_those_of_the_cpu() {
    for sampling in [Sampling::default(), Sampling { temperature: 0.0, ..Sampling::default() }] {
        let graph = steps(sampling, |model, step| model.forward(step));
        assert!(graph.is_none_or(|graph| graph.is_recorded()), "the device records");
    }
}

#[test]
fn what_cannot_be_recorded_is_computed_all_the_same() {
    let sampling = Sampling::default();
    // CUDA records an upload by burn with the same numbers each time.
    steps(sampling, |model, step| {
        let logits = model.forward(step);
        let device = logits.device();
        logits + Tensor::<2>::from_data([[0.0f32; VOCABULARY]], &device)
    });
    // One by this crate, whose numbers could be others, is refused everywhere.
    let graph = steps(sampling, |model, step| {
        let logits = model.forward(step);
        let zeros = Tensor::<2>::zeros([1, VOCABULARY], &logits.device());
        logits + embedding(zeros, vec![0].into())
    });
    assert!(graph.is_none_or(|graph| !graph.is_recorded()), "what comes from the host is not recorded");
}

/// The token at a number of the cumulative distribution, or the most probable one, and its log-probability, in f64.
fn drawn(logits: &[f32], uniform: f64, temperature: f32) -> (u32, f32) {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&z| f64::from(z - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut reached = 0.0;
    let at = weights.iter().position(|weight| {
        reached += weight;
        if temperature == 0.0 { *weight == 1.0 } else { reached > uniform * total }
    });
    (at.unwrap() as u32, (weights[at.unwrap()] / total).ln() as f32)
}
