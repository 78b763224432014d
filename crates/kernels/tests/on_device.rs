//! What is computed where the tensors are.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::sync::Arc;

use burn::tensor::{Device, Tensor, activation};
use common::{close, setup};
use toolrl_kernels::{Sampling, draw, gated_linear, is_cpu, linear_kernels, reference, sum_by_id};
use toolrl_testing::device;

#[test]
fn rows_are_summed_by_their_ids() {
    let (mut rng, device) = setup(1);
    let rows = rng.tensor([6, 5], &device).detach();
    let sums = sum_by_id(rows.clone(), Arc::new(vec![2, 0, 2, 2, 3, 0]), 5);
    let row = |i| rows.clone().narrow(0, i, 1);
    let expected =
        Tensor::cat(vec![row(1) + row(5), row(0) * 0.0, row(0) + row(2) + row(3), row(4), row(0) * 0.0], 0);
    close("sums", sums, expected, 1e-6);
}

#[test]
fn tokens_are_drawn_where_the_logits_are() {
    let ((mut rng, with_gradients), device) = (setup(2), device());
    let logits: Tensor<2> = rng.tensor([4, 301], &with_gradients).inner() * 5.0;
    let greedy = Sampling { temperature: 0.0, top_p: 1.0 };
    let Some(drawn) = draw(&logits, &[0.5; 4], &greedy) else {
        assert!(is_cpu(&device), "a GPU draws itself");
        return;
    };
    let values: Vec<f32> = activation::log_softmax(logits.clone(), 1).into_data().try_into_vec().unwrap();
    for (i, row) in values.chunks(301).enumerate() {
        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(drawn.tokens[i], Some(best as u32));
        assert!((drawn.logprobs[i] - row[best]).abs() < 1e-4, "{} {}", drawn.logprobs[i], row[best]);
    }
    // The least number draws the first token, the greatest below 1 the last with any weight.
    let plain = Sampling { temperature: 1.0, top_p: 1.0 };
    let ends = draw(&logits, &[0.0, 1.0 - f64::EPSILON, 0.0, 0.0], &plain).unwrap().tokens;
    assert_eq!((ends[0], ends[2]), (Some(0), Some(0)));
    assert!(ends[1].unwrap() > 150, "{ends:?}");
    let broken = logits * f32::NAN;
    assert_eq!(draw(&broken, &[0.5; 4], &plain).unwrap().tokens, [None; 4]);
}

#[test]
fn products_by_any_kernel_are_the_same() {
    let (mut rng, device) = setup(3);
    let mut matrix = |rows, columns| rng.tensor([rows, columns], &device).inner();
    let [x, gate, up] = [matrix(5, 24), matrix(16, 24), matrix(16, 24)];
    let kernels = linear_kernels(&x, &gate);
    assert_eq!(kernels.is_empty(), is_cpu(&device));
    for (name, run) in kernels {
        close(&name, run(), reference::linear(x.clone(), gate.clone()), 1e-5);
    }
    let apart = [&gate, &up].map(|weight| reference::linear(x.clone(), weight.clone()));
    let [by_gate, by_up] = apart;
    close("gated", gated_linear(x, gate, up), reference::swiglu(by_gate, by_up), 1e-5);
}

#[test]
fn the_cpu_is_known_with_and_without_gradients() {
    assert!(is_cpu(&Device::flex()) && is_cpu(&Device::flex().autodiff()));
}
