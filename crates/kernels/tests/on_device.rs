//! What is computed where the tensors are.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use burn::tensor::{Device, Tensor};
use common::{close, setup};
use toolrl_kernels::{gated_linear, is_cpu, linear_kernels, reference, sum_by_id};

#[test]
fn rows_are_summed_by_their_ids() {
    let (mut rng, device) = setup(1);
    let rows = rng.tensor([6, 5], &device).detach();
    let sums = sum_by_id(rows.clone(), vec![2, 0, 2, 2, 3, 0].into(), 5);
    let row = |i| rows.clone().narrow(0, i, 1);
    let expected =
        Tensor::cat(vec![row(1) + row(5), row(0) * 0.0, row(0) + row(2) + row(3), row(4), row(0) * 0.0], 0);
    close("sums", sums, expected, 1e-6);
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
