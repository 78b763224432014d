//! Every kernel with the sizes of real models: that it compiles and runs. What it computes, the other tests look at.
//!
//! A kernel is compiled for its sizes, so small ones say nothing about a large one's registers and shared memory. Results
//! are read and not looked at: `cargo xtask gpu compile` runs this on a driver that computes nothing.

use cubecl::prelude::Client;
use toolrl_cube::{
    Angles, Buffer, CubeError, DecodePlan, Dtype, GatherOrder, Indices, Matrix, PackedLayout, Recording,
    adamw_step, add_rms_norm, add_row, attention, attention_grad, checksums, decode_attention, gated_product,
    gather_rows, gather_rows_grad, logprob_entropy, logprob_entropy_grad, norm, place, product,
    product_kinds, rms_norm, rms_norm_grad, rope, sample, sum_rows, swiglu, swiglu_grad, write_rows,
};
use toolrl_layout::{
    AdamWState, AdamWStep, CacheSpans, DecodeRoom, Heads, NewRows, Packing, Projected, Rotation, Sampling,
};

use crate::device::{everywhere, put};

/// Tokens of a batch: a prompt and two replies.
const TOKENS: usize = 40;
/// Heads, width and vocabulary of SmolLM2-135M, Qwen2.5-0.5B and -1.5B, and Llama-3.2-3B; and of heads of other widths.
const MODELS: [(Heads, usize, usize); 6] = [
    (Heads { query: 9, kv: 3, dim: 64 }, 576, 49_152),
    (Heads { query: 14, kv: 2, dim: 64 }, 896, 151_936),
    (Heads { query: 12, kv: 2, dim: 128 }, 1536, 151_936),
    (Heads { query: 24, kv: 8, dim: 128 }, 3072, 128_256),
    (Heads { query: 8, kv: 4, dim: 80 }, 640, 1000),
    (Heads { query: 8, kv: 2, dim: 256 }, 2048, 1000),
];

#[test]
fn every_kernel_runs_with_the_sizes_of_models() {
    everywhere(|client, dtype| {
        // A software GPU compiles one model's kernels for as long as NVIDIA's compiler does all of them.
        let count = if client.name().starts_with("cuda") { MODELS.len() } else { 1 };
        for &(heads, width, vocabulary) in &MODELS[..count] {
            let run = |what: &str, result: Result<(), CubeError>| {
                match result {
                    // The widest heads need more than the 32 KiB that some devices have.
                    Err(CubeError::SharedMemory { available, .. }) if available < 48 << 10 => {}
                    done => done.unwrap_or_else(|error| panic!("{what} of {heads:?} in {dtype:?}: {error}")),
                }
            };
            run("attention", packed(client, dtype, heads));
            run("decoding", decoding(client, dtype, heads));
            run("recorded decoding", recorded(client, dtype, heads));
            run("what goes by rows", by_rows(client, dtype, heads, width));
            run("the head", head(client, dtype, vocabulary));
            run("AdamW", optimiser(client, dtype, width));
            run("products", products(client, dtype, width));
        }
    });
}

fn zeros(client: &Client, n: usize, dtype: Dtype) -> Buffer {
    put(client, &vec![0.0; n], dtype)
}

/// Forward, by the input and by the weights, of many rows and of few, each kind of kernel.
fn products(client: &Client, dtype: Dtype, width: usize) -> Result<(), CubeError> {
    let lies = |rows: usize, columns: usize, transposed: bool| {
        let stride = if transposed { rows } else { columns };
        Matrix { buffer: zeros(client, rows * columns, dtype), rows, columns, stride, transposed }
    };
    for rows in [8, 40, 136] {
        let [x, grad] = [width, 2 * width].map(|columns| lies(rows, columns, false));
        let [weight, by_input] = [lies(width, 2 * width, true), lies(2 * width, width, false)];
        let turned = Matrix { rows: 2 * width, columns: rows, transposed: true, ..grad.clone() };
        for (a, b, out) in [
            (&x, &weight, dtype),
            (&x, &weight, Dtype::F32),
            (&grad, &by_input, dtype),
            (&turned, &x, Dtype::F32),
        ] {
            for kind in product_kinds(client, a, b) {
                if let Some(product) = product(client, a, b, out, Some(kind))? {
                    read_all(client, &[&product])?;
                }
            }
        }
        if let Some(gated) = gated_product(client, &x, &weight, &weight)? {
            read_all(client, &[&gated])?;
        }
    }
    Ok(())
}

fn read_all(client: &Client, buffers: &[&Buffer]) -> Result<(), CubeError> {
    buffers.iter().try_for_each(|buffer| buffer.read(client).map(drop))
}

fn packed(client: &Client, dtype: Dtype, heads: Heads) -> Result<(), CubeError> {
    let mut packing = Packing::single(20);
    packing.push(15, Some(0));
    packing.push(5, Some(0));
    let layout = PackedLayout::new(client, &packing, heads, dtype)?;
    let [q, k, v] = [heads.query, heads.kv, heads.kv].map(|n| zeros(client, TOKENS * n * heads.dim, dtype));
    let saved = attention(client, &q, &k, &v, &layout)?;
    let [dq, dk, dv] = attention_grad(client, [&q, &k, &v], &saved, &q, &layout)?;
    read_all(client, &[&saved.out_ti, &saved.log_sum, &dq, &dk, &dv])
}

/// Few sequences and many, with a prompt in common and without.
fn decoding(client: &Client, dtype: Dtype, heads: Heads) -> Result<(), CubeError> {
    let [k, v] = [0, 1].map(|_| zeros(client, 700 * heads.kv * heads.dim, dtype));
    for sequences in [1, 4, 16] {
        let spans: Vec<_> =
            (0..sequences).map(|i| CacheSpans { prefix: (0, 300), own: (300 + 10 * i, 5) }).collect();
        let plan = DecodePlan::new(client, &spans, heads)?;
        let q = zeros(client, sequences * heads.query * heads.dim, dtype);
        read_all(client, &[&decode_attention(client, &q, &k, &v, &plan)?])?;
    }
    placing(client, dtype, heads, [&k, &v])
}

/// A step that is recorded and replayed.
fn recorded(client: &Client, dtype: Dtype, heads: Heads) -> Result<(), CubeError> {
    let [k, v] = [0, 1].map(|_| zeros(client, 700 * heads.kv * heads.dim, dtype));
    let q = zeros(client, 8 * heads.query * heads.dim, dtype);
    let room = DecodeRoom { sequences: 8, members: 4, prefix: 300, own: 50, rows: 700 };
    let plan = DecodePlan::with_room(client, room, heads)?;
    let work = || decode_attention(client, &q, &k, &v, &plan);
    work()?;
    let recording = Recording::new(client, work)?;
    for sequences in [8, 5] {
        let spans: Vec<_> =
            (0..sequences).map(|i| CacheSpans { prefix: (0, 300), own: (300 + 10 * i, 5) }).collect();
        plan.write(client, &spans)?;
        // SAFETY: queries, caches and plan are there until the end.
        unsafe { recording.replay() }?;
        if let Ok(out) = recording.output() {
            read_all(client, &[out])?;
        }
    }
    Ok(())
}

/// With biases and without.
fn placing(client: &Client, dtype: Dtype, heads: Heads, caches: [&Buffer; 2]) -> Result<(), CubeError> {
    let widths = [heads.query, heads.kv, heads.kv].map(|n| n * heads.dim);
    let qkv = widths.map(|width| zeros(client, 3 * width, dtype));
    let biases = widths.map(|width| zeros(client, width, dtype));
    let half = heads.dim / 2;
    let [cos, sin] = [0, 1].map(|_| zeros(client, 3 * half, Dtype::F32));
    let (table, at) = (Angles { cos, sin, half }, Indices::from_slice(client, &[7, 9, 8]));
    let joined = zeros(client, 3 * widths.iter().sum::<usize>(), dtype);
    for qkv in [Projected::Apart(qkv), Projected::Joined(joined)] {
        for biases in [None, Some(biases.clone())] {
            let new = NewRows { qkv: qkv.clone(), biases };
            read_all(client, &[&place(client, &new, &table, &at, caches, heads)?, caches[0], caches[1]])?;
        }
    }
    Ok(())
}

fn by_rows(client: &Client, dtype: Dtype, heads: Heads, width: usize) -> Result<(), CubeError> {
    let (x, weight) = (zeros(client, TOKENS * width, dtype), zeros(client, width, dtype));
    let normed = rms_norm(client, &x, &weight, 1e-6)?;
    let [dx, dw] = rms_norm_grad(client, &x, &weight, &x, 1e-6)?;
    let gated = swiglu(client, &x, &x)?;
    let [by_gate, by_up] = swiglu_grad(client, &x, &x, &x)?;
    let added = add_row(client, &x, &weight)?;
    let summed = sum_rows(client, &x, width)?;
    let [sum, normed_sum] = add_rms_norm(client, [&x, &x], &weight, 1e-6)?;
    read_all(client, &[&sum, &normed_sum])?;
    let half = heads.dim / 2;
    let [cos, sin] = [0, 1].map(|_| zeros(client, TOKENS * half, Dtype::F32));
    let table = Angles { cos, sin, half };
    let q = zeros(client, TOKENS * heads.query * heads.dim, dtype);
    let turned = rope(client, &q, &table, heads.query, Rotation::Forward)?;
    let back = rope(client, &q, &table, heads.query, Rotation::Backward)?;
    let ids = Indices::from_slice(client, &[3, 0, 3]);
    let gathered = gather_rows(client, &x, &ids, width)?;
    let scattered =
        gather_rows_grad(client, &gathered, &GatherOrder::new(client, &[3, 0, 3], TOKENS)?, width)?;
    write_rows(client, &x, &gathered, &Indices::from_slice(client, &[5, 6, 7]), width)?;
    read_all(client, &[&x, &normed, &dx, &dw, &gated, &by_gate, &by_up, &added, &summed, &turned, &back])?;
    read_all(client, &[&gathered, &scattered])
}

fn head(client: &Client, dtype: Dtype, vocabulary: usize) -> Result<(), CubeError> {
    let logits = zeros(client, 2 * vocabulary, dtype);
    let targets = Indices::from_slice(client, &[1, 2]);
    let stats = logprob_entropy(client, &logits, &targets, 1.0)?;
    read_all(client, &[&stats.logprob_n, &stats.entropy_n])?;
    let by = zeros(client, 2, Dtype::F32);
    for (temperature, top_k, top_p, min_p) in
        [(0.0, 0, 1.0, 0.0), (1.0, 0, 1.0, 0.0), (1.0, 0, 0.9, 0.0), (1.0, 50, 0.9, 0.05)]
    {
        let drawn = sample(client, &logits, &by, &Sampling { temperature, top_k, top_p, min_p })?;
        read_all(client, &[&drawn.logprob_n])?;
    }
    logprob_entropy_grad(client, &logits, &targets, &stats, [&by, &by], 1.0)?;
    read_all(client, &[&logits])
}

fn optimiser(client: &Client, dtype: Dtype, width: usize) -> Result<(), CubeError> {
    let [param, mean, mean_square] = [0; 3].map(|_| zeros(client, width, Dtype::F32));
    let state = AdamWState { param, mean, mean_square };
    let grad = zeros(client, width, dtype);
    norm(client, std::slice::from_ref(&grad))?;
    let step = AdamWStep { t: 1, lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
    adamw_step(client, &state, &grad, &zeros(client, 1, Dtype::F32), &step)?;
    checksums(client, std::slice::from_ref(&state.param))?;
    read_all(client, &[&state.param])
}
