//! Every fused operation on bf16 tensors against itself on the same numbers in f32: one rounding apart in
//! what is stored as bf16, equal but for the order of sums in what is f32.

#![cfg(not(feature = "wgpu"))]
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use burn::tensor::{DType, FloatDType, Tensor};
use common::{close, setup};
use toolrl_kernels::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable};

/// Half a unit in the last of bf16's 8 digits, and a little for sums in another order.
const ROUNDING: f32 = 1.0 / 256.0 + 1e-5;

/// The same numbers as leaves, in bf16 and in f32.
fn both<const D: usize>(x: Tensor<D>) -> [Tensor<D>; 2] {
    let bf16 = x.cast(FloatDType::BF16);
    let f32 = bf16.clone().cast(FloatDType::F32);
    [bf16, f32].map(|t| t.detach().require_grad())
}

/// Compares an operation's value and gradients on bf16 leaves with those on f32 leaves. `f32` inputs are
/// weights: their gradients are f32.
macro_rules! check {
    ($rng:ident, $device:ident, $out:ident, [$($input:ident: $dtype:ident),+], $op:expr) => {{
        $(let $input = both($input);)+
        let run = |i: usize| {
            $(let $input = $input[i].clone();)+
            $op
        };
        let (narrow, wide) = (run(0), run(1));
        assert_eq!(narrow.dtype(), DType::$out);
        close("value", narrow.clone().cast(FloatDType::F32), wide.clone(), ROUNDING);
        let direction = both($rng.tensor(narrow.dims(), &$device));
        let of = |i: usize| direction[i].clone().detach().cast(FloatDType::$out);
        let by_narrow = (narrow * of(0)).sum().backward();
        let by_wide = (wide * direction[1].clone().detach()).sum().backward();
        $({
            let narrow = $input[0].grad(&by_narrow).unwrap();
            assert_eq!(narrow.dtype(), DType::$dtype, "gradient by {}", stringify!($input));
            let wide = $input[1].grad(&by_wide).unwrap();
            close(stringify!($input), narrow.cast(FloatDType::F32), wide, 2.0 * ROUNDING);
        })+
    }};
}

#[test]
fn linear() {
    for (t, i, o) in [(7, 33, 5), (64, 48, 70), (130, 64, 96), (70, 700, 1600)] {
        let (mut rng, device) = setup(1);
        let (x, w) = (rng.tensor([t, i], &device), rng.tensor([o, i], &device));
        check!(rng, device, BF16, [x: BF16, w: F32], toolrl_kernels::linear(x, w));
    }
}

#[test]
fn a_wide_input_gives_wide_outputs_of_a_narrow_weight() {
    let (mut rng, device) = setup(2);
    let [x, w] = [[9, 32], [70, 32]].map(|shape| both(rng.tensor(shape, &device)));
    let mixed = toolrl_kernels::linear(x[1].clone(), w[0].clone());
    assert_eq!(mixed.dtype(), DType::F32);
    close("logits", mixed, toolrl_kernels::linear(x[1].clone(), w[1].clone()), 1e-5);
}

#[test]
fn embedding_and_bias() {
    let (mut rng, device) = setup(3);
    let ids = Ids::new((0..40).map(|_| rng.below(30) as u32).collect());
    let table = rng.tensor([30, 24], &device);
    check!(rng, device, BF16, [table: F32], toolrl_kernels::embedding(table, ids.clone()));
    let (x, row) = (rng.tensor([50, 24], &device), rng.tensor([24], &device));
    check!(rng, device, BF16, [x: BF16, row: F32], toolrl_kernels::add_row(x, row));
}

#[test]
fn norm_rope_and_swiglu() {
    let (mut rng, device) = setup(4);
    let (x, w) = (rng.tensor([70, 96], &device), rng.tensor([32], &device));
    check!(rng, device, BF16, [x: BF16, w: F32], toolrl_kernels::rms_norm(x, w, 1e-6));
    let frequencies: Vec<f32> = (0..8).map(|i| 10_000f32.powf(-i as f32 / 8.0)).collect();
    let table = Mirrored::new(RopeTable::new(&(0..40).collect::<Vec<_>>(), &frequencies));
    let x = rng.tensor([40, 48], &device);
    check!(rng, device, BF16, [x: BF16], toolrl_kernels::rope(x, table.clone(), 3));
    let (gate, up) = (rng.tensor([37, 501], &device) * 4.0, rng.tensor([37, 501], &device));
    check!(rng, device, BF16, [gate: BF16, up: BF16], toolrl_kernels::swiglu(gate, up));
}

#[test]
fn attention() {
    let (mut rng, device) = setup(5);
    let heads = Heads { query: 6, kv: 2, dim: 16 };
    let mut packing = Packing::new();
    let prompt = packing.push(70, None);
    [9, 66].into_iter().for_each(|n| {
        packing.push(n, Some(prompt));
    });
    let (t, packing) = (packing.tokens(), Mirrored::new(packing));
    let [q, k, v] = [6, 2, 2].map(|n| rng.tensor([t, n * heads.dim], &device));
    check!(rng, device, BF16, [q: BF16, k: BF16, v: BF16],
        toolrl_kernels::attention(q, k, v, packing.clone(), heads));
}

#[test]
fn logprob_entropy_is_f32() {
    let (mut rng, device) = setup(6);
    let targets = Ids::new((0..150).map(|_| rng.below(3000) as u32).collect());
    // A weight of more than one widened run.
    let (x, w) = (rng.tensor([150, 500], &device) * 0.2, rng.tensor([3000, 500], &device));
    check!(rng, device, F32, [x: BF16, w: F32],
        toolrl_kernels::logprob_entropy(x, w, targets.clone(), 0.7));
}

#[test]
fn decoding() {
    let (mut rng, device) = setup(7);
    let heads = Heads { query: 6, kv: 2, dim: 16 };
    let [q, k, v] =
        [[2, 96], [60, 32], [60, 32]].map(|shape| both(rng.tensor(shape, &device)).map(Tensor::inner));
    let spans =
        vec![CacheSpans { prefix: (0, 20), own: (30, 5) }, CacheSpans { prefix: (50, 1), own: (55, 0) }];
    let [narrow, wide] = [0, 1].map(|i| {
        let [q, k, v] = [&q, &k, &v].map(|t| t[i].clone());
        toolrl_kernels::decode_attention(q, k, v, spans.clone().into(), heads)
    });
    assert_eq!(narrow.dtype(), DType::BF16);
    close("decode", narrow.cast(FloatDType::F32), wide, ROUNDING);
    let new = both(rng.tensor([1, 32], &device)).map(Tensor::inner);
    for written in new.clone().map(|new| toolrl_kernels::write_rows(k[0].clone(), new, vec![7].into())) {
        assert_eq!(written.dtype(), DType::BF16);
        close("row 7", written.narrow(0, 7, 1).cast(FloatDType::F32), new[1].clone(), 0.0);
    }
}
