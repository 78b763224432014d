//! Every fused operation against its plain reference: values, and gradients through burn's autodiff.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use burn::tensor::Tensor;
use common::{close, setup};
use toolrl_kernels::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable, reference};

/// Compares outputs of an operation and of its reference, then the gradients of sum(out * random) by each input. After
/// the inputs come host data, which the reference borrows, and a plain setting, where it has any.
macro_rules! check {
    ($rng:ident, $device:ident, $op:ident, [$($input:ident),+] $(& $host:ident)? $(, $setting:expr)?) => {{
        let fused = toolrl_kernels::$op($($input.clone()),+ $(, $host.clone())? $(, $setting)?);
        let plain = reference::$op($($input.clone()),+ $(, &$host)? $(, $setting)?);
        close(stringify!($op), fused.clone(), plain.clone(), 2e-5);
        let direction = $rng.tensor(fused.dims(), &$device).detach();
        let by_fused = (fused * direction.clone()).sum().backward();
        let by_plain = (plain * direction).sum().backward();
        $(close(concat!("gradient by ", stringify!($input)),
            $input.grad(&by_fused).expect("fused gradient"),
            $input.grad(&by_plain).expect("plain gradient"), 5e-5);)+
    }};
}

#[test]
fn linear() {
    for (seed, (t, i, o)) in
        [(1, 1, 1), (7, 33, 5), (4, 16, 4), (63, 100, 131), (64, 40, 70), (130, 64, 96), (300, 48, 257)]
            .into_iter()
            .enumerate()
    {
        let (mut rng, device) = setup(seed as u64);
        let (x, w) = (rng.tensor([t, i], &device), rng.tensor([o, i], &device));
        check!(rng, device, linear, [x, w]);
    }
}

#[test]
fn embedding() {
    let (mut rng, device) = setup(2);
    let table = rng.tensor([50, 24], &device);
    let ids = Ids::new((0..200).map(|_| rng.below(50) as u32).collect());
    check!(rng, device, embedding, [table] & ids);
}

#[test]
fn rms_norm() {
    for (t, heads, width) in [(1, 1, 1), (5, 1, 33), (130, 1, 64), (70, 3, 32)] {
        let (mut rng, device) = setup(3);
        let (x, w) = (rng.tensor([t, heads * width], &device), rng.tensor([width], &device));
        check!(rng, device, rms_norm, [x, w], 1e-6);
    }
}

#[test]
fn rope() {
    let (mut rng, device) = setup(4);
    let frequencies: Vec<f32> = (0..8).map(|i| 10_000f32.powf(-i as f32 / 8.0)).collect();
    let positions: Vec<usize> = (0..40).map(|i| i * 3 % 37).collect();
    let table = Mirrored::new(RopeTable::new(&positions, &frequencies));
    let x = rng.tensor([40, 3 * 16], &device);
    check!(rng, device, rope, [x] & table, 3);
}

#[test]
fn add_row() {
    let (mut rng, device) = setup(10);
    let (x, row) = (rng.tensor([41, 30], &device), rng.tensor([30], &device));
    check!(rng, device, add_row, [x, row]);
}

#[test]
fn swiglu() {
    let (mut rng, device) = setup(5);
    let (gate, up) = (rng.tensor([37, 501], &device), rng.tensor([37, 501], &device));
    let (gate, up) = ((gate * 12.0).detach().require_grad(), up);
    check!(rng, device, swiglu, [gate, up]);
}

fn packings() -> [Mirrored<Packing>; 3] {
    let mut plain = Packing::new();
    [1, 70, 3, 130].into_iter().for_each(|n| {
        plain.push(n, None);
    });
    let mut shared = Packing::new();
    for (prompt, replies) in [(65, [9, 1, 70]), (3, [64, 2, 5])] {
        let prompt = shared.push(prompt, None);
        for reply in replies {
            shared.push(reply, Some(prompt));
        }
    }
    [Packing::single(1), plain, shared].map(Mirrored::new)
}

#[test]
fn attention() {
    for packing in packings() {
        for heads in [Heads { query: 4, kv: 4, dim: 8 }, Heads { query: 6, kv: 2, dim: 16 }] {
            let (mut rng, device) = setup(6);
            let t = packing.tokens();
            let q = (rng.tensor([t, heads.query * heads.dim], &device) * 3.0).detach().require_grad();
            let k = rng.tensor([t, heads.kv * heads.dim], &device);
            let v = rng.tensor([t, heads.kv * heads.dim], &device);
            check!(rng, device, attention, [q, k, v] & packing, heads);
        }
    }
}

#[test]
fn a_shared_prefix_equals_its_copies() {
    let (mut rng, device) = setup(7);
    let heads = Heads { query: 4, kv: 2, dim: 8 };
    let (prompt, reply) = (10, 6);
    let [q, k, v] = [4, 2, 2].map(|n| rng.tensor([prompt + 2 * reply, n * 8], &device));
    let mut shared = Packing::new();
    let first = shared.push(prompt, None);
    shared.push(reply, Some(first));
    shared.push(reply, Some(first));
    let together = toolrl_kernels::attention(q.clone(), k.clone(), v.clone(), shared.into(), heads);
    for i in 0..2 {
        let alone = |x: &Tensor<2>| {
            let (head, tail) =
                (x.clone().narrow(0, 0, prompt), x.clone().narrow(0, prompt + i * reply, reply));
            Tensor::cat(vec![head, tail], 0)
        };
        let copy = toolrl_kernels::attention(
            alone(&q),
            alone(&k),
            alone(&v),
            Packing::single(prompt + reply).into(),
            heads,
        );
        close(
            "reply",
            together.clone().narrow(0, prompt + i * reply, reply),
            copy.narrow(0, prompt, reply),
            1e-6,
        );
    }
}

#[test]
fn logprob_entropy() {
    for (n, i, v, temperature) in [(1, 4, 7, 1.0), (130, 16, 300, 1.0), (300, 8, 513, 0.7)] {
        let (mut rng, device) = setup(8);
        let x = (rng.tensor([n, i], &device) * 2.0).detach().require_grad();
        let w = rng.tensor([v, i], &device);
        let targets = Ids::new((0..n).map(|_| rng.below(v) as u32).collect());
        check!(rng, device, logprob_entropy, [x, w] & targets, 1.0 / temperature);
    }
}

#[test]
fn decode_attention_and_write_rows() {
    let (mut rng, device) = setup(9);
    let device_plain = device.clone().inner();
    let heads = Heads { query: 6, kv: 2, dim: 16 };
    let plain = |t: Tensor<2>| Tensor::<2>::from_data(t.into_data(), &device_plain);
    let q = plain(rng.tensor([3, 96], &device));
    let (k, v) = (plain(rng.tensor([60, 32], &device)), plain(rng.tensor([60, 32], &device)));
    let spans = vec![
        CacheSpans { prefix: (0, 20), own: (30, 5) },
        CacheSpans { prefix: (0, 20), own: (40, 1) },
        CacheSpans { prefix: (50, 1), own: (55, 0) },
    ];
    let plain_out = reference::decode_attention(q.clone(), k.clone(), v.clone(), &spans, heads);
    close("decode", toolrl_kernels::decode_attention(q, k.clone(), v, spans.into(), heads), plain_out, 1e-5);

    let new = plain(rng.tensor([2, 32], &device));
    let written = toolrl_kernels::write_rows(k.clone(), new.clone(), vec![7, 59].into());
    close("row 7", written.clone().narrow(0, 7, 1), new.clone().narrow(0, 0, 1), 0.0);
    close("row 59", written.clone().narrow(0, 59, 1), new.narrow(0, 1, 1), 0.0);
    close("other rows", written.narrow(0, 8, 51), k.narrow(0, 8, 51), 0.0);
}
