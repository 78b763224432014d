//! Milliseconds of every operation, forward and with its gradients, beside its plain reference made of burn's own
//! operations, at the shapes of SmolLM2-135M: `cargo bench -p toolrl-kernels --bench operations`.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use toolrl_kernels::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable, reference};

const HEADS: Heads = Heads { query: 9, kv: 3, dim: 64 };
const HIDDEN: usize = 576;
const FEED_FORWARD: usize = 1536;
const VOCABULARY: usize = 49_152;
/// A prompt and four replies to it.
const PROMPT: usize = 600;
const REPLY: usize = 96;
const MEMBERS: usize = 4;
const TOKENS: usize = PROMPT + MEMBERS * REPLY;

fn main() {
    println!("{:>20} {:>10} {:>9} {:>9} {:>7}", "operation", "", "ours ms", "burn ms", "ratio");
    let device = Device::flex().autodiff();
    rows(&device);
    attention(&device);
    head(&device);
    decode();
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 0.5), device).require_grad()
}

/// The operations on every token by itself.
fn rows(device: &Device) {
    let (x, weight) = (random([TOKENS, HIDDEN], device), random([HIDDEN], device));
    with_gradients(
        "rms_norm",
        || toolrl_kernels::rms_norm(x.clone(), weight.clone(), 1e-5),
        || reference::rms_norm(x.clone(), weight.clone(), 1e-5),
    );
    let frequencies: Vec<f32> = (0..HEADS.dim / 2).map(|i| 1e4_f32.powf(-(i as f32) / 32.0)).collect();
    let table = Mirrored::new(RopeTable::new(&(0..TOKENS).collect::<Vec<_>>(), &frequencies));
    with_gradients(
        "rope",
        || toolrl_kernels::rope(x.clone(), table.clone(), HEADS.query),
        || reference::rope(x.clone(), &table, HEADS.query),
    );
    let (gate, up) = (random([TOKENS, FEED_FORWARD], device), random([TOKENS, FEED_FORWARD], device));
    with_gradients(
        "swiglu",
        || toolrl_kernels::swiglu(gate.clone(), up.clone()),
        || reference::swiglu(gate.clone(), up.clone()),
    );
    let weight = random([FEED_FORWARD, HIDDEN], device);
    with_gradients(
        "linear",
        || toolrl_kernels::linear(x.clone(), weight.clone()),
        || reference::linear(x.clone(), weight.clone()),
    );
    let (table, ids) = (random([VOCABULARY, HIDDEN], device), ids(TOKENS));
    with_gradients(
        "embedding",
        || toolrl_kernels::embedding(table.clone(), ids.clone()),
        || reference::embedding(table.clone(), &ids),
    );
}

/// Attention of a group with its prompt once.
fn attention(device: &Device) {
    let mut packing = Packing::new();
    let prompt = packing.push(PROMPT, None);
    for _ in 0..MEMBERS {
        packing.push(REPLY, Some(prompt));
    }
    let packing = Mirrored::new(packing);
    let q = random([TOKENS, HEADS.query * HEADS.dim], device);
    let [k, v] = [0, 1].map(|_| random([TOKENS, HEADS.kv * HEADS.dim], device));
    with_gradients(
        "attention",
        || toolrl_kernels::attention(q.clone(), k.clone(), v.clone(), packing.clone(), HEADS),
        || reference::attention(q.clone(), k.clone(), v.clone(), &packing, HEADS),
    );
}

/// Log-probabilities and entropies of a group's replies.
fn head(device: &Device) {
    let n = MEMBERS * REPLY;
    let (x, weight, targets) = (random([n, HIDDEN], device), random([VOCABULARY, HIDDEN], device), ids(n));
    with_gradients(
        "logprob_entropy",
        || toolrl_kernels::logprob_entropy(x.clone(), weight.clone(), targets.clone(), 1.0),
        || reference::logprob_entropy(x.clone(), weight.clone(), &targets, 1.0),
    );
}

/// One new token for each member of four groups, halfway through their replies.
fn decode() {
    let device = Device::flex();
    let (sequences, reserved) = (4 * MEMBERS, 4 * (PROMPT + MEMBERS * REPLY));
    let spans = (0..sequences).map(|i| {
        let group = i / MEMBERS * (PROMPT + MEMBERS * REPLY);
        let own = group + PROMPT + i % MEMBERS * REPLY;
        CacheSpans { prefix: (group, PROMPT), own: (own, REPLY / 2) }
    });
    let spans = Mirrored::new(spans.collect::<Vec<_>>());
    let random = |shape| Tensor::<2>::random(shape, Distribution::Default, &device);
    let q = random([sequences, HEADS.query * HEADS.dim]);
    let [k, v] = [0, 1].map(|_| random([reserved, HEADS.kv * HEADS.dim]));
    report(
        "decode_attention",
        "16 tokens",
        milliseconds(|| {
            drop(toolrl_kernels::decode_attention(q.clone(), k.clone(), v.clone(), spans.clone(), HEADS));
        }),
        milliseconds(|| drop(reference::decode_attention(q.clone(), k.clone(), v.clone(), &spans, HEADS))),
    );
}

fn ids(n: usize) -> Ids {
    Ids::new((0..n).map(|i| (i * 7919 % VOCABULARY) as u32).collect())
}

fn with_gradients(name: &str, ours: impl Fn() -> Tensor<2>, burn: impl Fn() -> Tensor<2>) {
    report(name, "forward", milliseconds(|| drop(ours())), milliseconds(|| drop(burn())));
    let both = |run: &dyn Fn() -> Tensor<2>| milliseconds(|| drop(run().sum().backward()));
    report(name, "both", both(&ours), both(&burn));
}

fn report(name: &str, what: &str, ours: f64, burn: f64) {
    println!("{name:>20} {what:>10} {ours:>9.3} {burn:>9.3} {:>7.2}", burn / ours);
}

/// The median of seven runs of at least 50 ms each.
fn milliseconds(run: impl Fn()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let (start, mut runs) = (Instant::now(), 0);
            while start.elapsed().as_millis() < 50 {
                run();
                runs += 1;
            }
            start.elapsed().as_secs_f64() * 1e3 / f64::from(runs)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[3]
}
