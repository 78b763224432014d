//! The CPU's part of a GRPO step at SmolLM2-135M's sizes, with random weights: seconds of one group's prompt, of a
//! decoding step, of forward and backward passes and of the head, beside what their products would take at the peak of
//! multiply-adds. A program, not a timed test: `cargo bench --profile dev -p toolrl-cpu --bench step`, with `-- --bf16` of
//! numbers stored so.

use std::hint::black_box;
use std::time::Instant;

use toolrl_cpu::element::narrow;
use toolrl_cpu::head::{self, Head, RowGrads};
use toolrl_cpu::layer::{self, Activations, Batch, Parameters, Run};
use toolrl_cpu::numbers::Numbers;
use toolrl_cpu::team::{all_together, together};
use toolrl_cpu::{decode, norm, peak, skinny, swiglu};
use toolrl_layout::{CacheSpans, Heads, Packing, RopeTable};

const HEADS: Heads = Heads { query: 9, kv: 3, dim: 64 };
const HIDDEN: usize = 576;
const INNER: usize = 1536;
const VOCABULARY: usize = 49_152;
const LAYERS: usize = 30;
/// Tokens of a prompt, replies to it, and tokens of a reply that are computed.
const PROMPT: usize = 600;
const REPLIES: usize = 4;
const REPLY: usize = 95;
/// Replies that are decoded together.
const DECODED: usize = 16;
const ROUNDS: usize = 5;

fn main() {
    let as_bf16 = std::env::args().any(|arg| arg == "--bf16");
    let part = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |name: &str| part.as_deref().is_none_or(|part| name.contains(part));
    let threads = rayon::current_num_threads();
    let peak = peak_rate(as_bf16) * threads as f64;
    println!("{threads} threads, peak {:.0} GFLOP/s", peak / 1e9);
    let model = Model::new(as_bf16);
    if wanted("prompt") {
        report("prompt, all layers", model.prompt_flop(), peak, || model.prompt());
    }
    if wanted("decode") {
        let cache = Cache::new(as_bf16);
        report("decode, one token", model.decode_flop(), peak, || model.decode(&cache));
        let q = numbers(DECODED * HEADS.query * HEADS.dim, 1.0);
        let attention = || together(|| cache.kv.iter().for_each(|kv| drop(model.attend(&q, kv, &cache))));
        report("attention of it", model.decode_pairs_flop(), peak, attention);
    }
    if wanted("pass") {
        let prompt = model.prompt();
        let mut sums: Vec<_> = (0..LAYERS).map(|_| Parameters::default()).collect();
        let mut best = [f64::INFINITY; 2];
        for _ in 0..=ROUNDS {
            let known = prompt.clone();
            let began = Instant::now();
            let kept = model.forward(known);
            let forward = began.elapsed();
            model.backward(kept, &mut sums);
            let seconds = [forward, began.elapsed() - forward].map(|time| time.as_secs_f64());
            best = [0, 1].map(|i| best[i].min(seconds[i]));
        }
        print("pass, forward", model.forward_flop(), peak, best[0]);
        print("pass, backward", model.backward_flop(), peak, best[1]);
    }
    if wanted("head") {
        report("head, both ways", model.head_flop(), peak, || model.head());
    }
}

/// Multiply-adds of one thread, counted as two operations, a second.
fn peak_rate(as_bf16: bool) -> f64 {
    let rate = |_| {
        let (began, turns) = (Instant::now(), 5_000_000);
        let of_pairs = as_bf16.then(|| peak::multiply_adds_of_bf16(turns)).flatten();
        of_pairs.unwrap_or_else(|| peak::multiply_adds(turns)) as f64 / began.elapsed().as_secs_f64()
    };
    (0..5).map(rate).fold(0.0, f64::max)
}

/// The best of some rounds.
fn report<R>(name: &str, flop: f64, peak: f64, run: impl Fn() -> R) {
    let round = |_| {
        let began = Instant::now();
        black_box(run());
        began.elapsed().as_secs_f64()
    };
    print(name, flop, peak, (0..=ROUNDS).map(round).skip(1).fold(f64::INFINITY, f64::min));
}

fn print(name: &str, flop: f64, peak: f64, seconds: f64) {
    let rate = flop / seconds;
    println!(
        "{name:<20} {:>9.1} ms {:>7.1} GFLOP {:>6.0} GFLOP/s {:>4.0} % of the peak",
        seconds * 1e3,
        flop / 1e9,
        rate / 1e9,
        100.0 * rate / peak
    );
}

fn numbers(n: usize, size: f32) -> Vec<f32> {
    let mut state = n as u32 | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    (0..n).map(|_| next()).collect()
}

fn stored(values: Vec<f32>, as_bf16: bool) -> Numbers {
    if as_bf16 { narrow(&values).into() } else { values.into() }
}

struct Model {
    layers: Vec<Parameters<Numbers>>,
    head: Numbers,
    x: Vec<f32>,
    as_bf16: bool,
}

/// Cached keys and values of every layer.
struct Cache {
    kv: Vec<[Numbers; 2]>,
    spans: Vec<CacheSpans>,
}

impl Cache {
    /// Prompts that four replies share each, and half of each reply.
    fn new(as_bf16: bool) -> Self {
        let room = REPLY / 2;
        let prompts = DECODED / REPLIES;
        let spans = (0..DECODED).map(|i| CacheSpans {
            prefix: (i / REPLIES * PROMPT, PROMPT),
            own: (prompts * PROMPT + i * room, room),
        });
        let rows = prompts * PROMPT + DECODED * room;
        let numbers = || stored(numbers(rows * HEADS.kv * HEADS.dim, 0.5), as_bf16);
        Self { kv: (0..LAYERS).map(|_| [numbers(), numbers()]).collect(), spans: spans.collect() }
    }
}

impl Model {
    fn new(as_bf16: bool) -> Self {
        let (wide, narrow) = (HEADS.query * HEADS.dim, HEADS.kv * HEADS.dim);
        let matrix = |outputs: usize, inputs: usize| stored(numbers(outputs * inputs, 0.05), as_bf16);
        let layer = |_| Parameters {
            attention_norm: stored(vec![1.0; HIDDEN], as_bf16),
            q: matrix(wide, HIDDEN),
            k: matrix(narrow, HIDDEN),
            v: matrix(narrow, HIDDEN),
            biases: None,
            o: matrix(HIDDEN, wide),
            mlp_norm: stored(vec![1.0; HIDDEN], as_bf16),
            gate: matrix(INNER, HIDDEN),
            up: matrix(INNER, HIDDEN),
            down: matrix(HIDDEN, INNER),
        };
        let head = matrix(VOCABULARY, HIDDEN);
        Self {
            layers: (0..LAYERS).map(layer).collect(),
            head,
            x: numbers((PROMPT + REPLIES * REPLY) * HIDDEN, 1.0),
            as_bf16,
        }
    }

    /// The rows of a group's pass, and the loss's rows.
    fn packing() -> (Packing, Vec<u32>) {
        let mut packing = Packing::new();
        let prompt = packing.push(PROMPT, None);
        for _ in 0..REPLIES {
            packing.push(REPLY, Some(prompt));
        }
        let first = PROMPT as u32;
        let rows = (0..REPLIES as u32).flat_map(|i| {
            std::iter::once(first - 1).chain(first + i * REPLY as u32..first + (i + 1) * REPLY as u32)
        });
        let rows = rows.collect();
        (packing, rows)
    }

    fn table(positions: &[usize]) -> RopeTable {
        let frequencies: Vec<f32> = (0..HEADS.dim / 2).map(|i| 0.9f32.powi(i as i32)).collect();
        RopeTable::new(positions, &frequencies)
    }

    fn batch<'a>(i: usize, packing: &'a Packing, table: &'a RopeTable, rows: &'a [u32]) -> Batch<'a> {
        let rows = (i + 1 == LAYERS).then_some(rows);
        Batch { packing, table, rows, heads: HEADS, eps: 1e-5 }
    }

    fn prompt(&self) -> Vec<Activations> {
        let packing = Packing::single(PROMPT);
        let table = Self::table(&packing.positions());
        let mut x = stored(self.x[..PROMPT * HIDDEN].to_vec(), self.as_bf16);
        all_together(|| {
            let layer = |(i, of): (usize, &Parameters<Numbers>)| {
                let batch = Self::batch(i, &packing, &table, &[PROMPT as u32 - 1]);
                let (kept, y) = layer::forward(
                    std::mem::take(&mut x),
                    &of.map(Numbers::floats),
                    batch,
                    (Vec::new(), &table),
                );
                x = y;
                kept
            };
            self.layers.iter().enumerate().map(layer).collect()
        })
    }

    fn forward(&self, prompt: Vec<Activations>) -> Vec<Activations> {
        let (packing, rows) = Self::packing();
        let positions = packing.positions();
        let (table, new) = (Self::table(&positions), Self::table(&positions[PROMPT..]));
        let mut x = stored(self.x[PROMPT * HIDDEN..].to_vec(), self.as_bf16);
        all_together(|| {
            let layer = |((i, of), activations): ((usize, &Parameters<Numbers>), Activations)| {
                let run = Run { rows: 0..PROMPT, activations };
                let batch = Self::batch(i, &packing, &table, &rows);
                let (kept, y) = layer::forward(
                    std::mem::take(&mut x),
                    &of.map(Numbers::floats),
                    batch,
                    (vec![run], &new),
                );
                x = y;
                kept
            };
            self.layers.iter().enumerate().zip(prompt).map(layer).collect()
        })
    }

    fn backward(&self, kept: Vec<Activations>, sums: &mut [Parameters<Vec<f32>>]) {
        let (packing, rows) = Self::packing();
        let table = Self::table(&packing.positions());
        let mut grad = numbers(rows.len() * HIDDEN, 0.01);
        all_together(|| {
            for ((i, of), kept) in self.layers.iter().enumerate().zip(kept).rev() {
                let batch = Self::batch(i, &packing, &table, &rows);
                grad = layer::backward(
                    kept,
                    std::mem::take(&mut grad),
                    &of.map(Numbers::floats),
                    &mut sums[i],
                    batch,
                );
            }
        });
    }

    fn head(&self) -> (Vec<f32>, Vec<f32>) {
        let (_, rows) = Self::packing();
        let targets: Vec<u32> = rows.iter().map(|row| row * 41 % VOCABULARY as u32).collect();
        let x = stored(self.x[..targets.len() * HIDDEN].to_vec(), self.as_bf16);
        let head = Head {
            x: x.floats(),
            weight: self.head.floats(),
            targets: &targets,
            width: HIDDEN,
            inverse_temperature: 1.0,
        };
        all_together(|| {
            let mut rows = head::logprob_entropy(head);
            let (ones, zeros) = (vec![1.0; targets.len()], vec![0.0; targets.len()]);
            let grads = RowGrads { by_logp: &ones, by_entropy: &zeros, entropy: &rows.entropy };
            let kept = (!rows.probabilities.is_empty()).then_some(&mut rows.probabilities[..]);
            head::logprob_entropy_grad(head, grads, kept)
        })
    }

    fn decode(&self, cache: &Cache) -> Vec<f32> {
        let mut x = stored(self.x[..DECODED * HIDDEN].to_vec(), self.as_bf16);
        let project = |x: &Numbers, weight: &Numbers, width| {
            stored(skinny::project(x.floats(), weight.floats(), width), self.as_bf16)
        };
        together(|| {
            for (of, kv) in self.layers.iter().zip(&cache.kv) {
                let normed = norm::rms_norm(x.floats(), of.attention_norm.floats(), 1e-5);
                let [q, _, _] = [&of.q, &of.k, &of.v].map(|weight| project(&normed, weight, HIDDEN));
                let attended = stored(self.attend(&q.wide(), kv, cache), self.as_bf16);
                let mut middle = project(&attended, &of.o, HEADS.query * HEADS.dim);
                middle.add(x.floats());
                let normed = norm::rms_norm(middle.floats(), of.mlp_norm.floats(), 1e-5);
                let [gate, up] = [&of.gate, &of.up].map(|weight| project(&normed, weight, HIDDEN));
                x = project(&swiglu::swiglu(gate.floats(), up.floats()), &of.down, INNER);
                x.add(middle.floats());
            }
            skinny::project(x.floats(), self.head.floats(), HIDDEN)
        })
    }

    fn attend(&self, q: &[f32], kv: &[Numbers; 2], cache: &Cache) -> Vec<f32> {
        decode::decode_attention(q, kv.each_ref().map(Numbers::floats), &cache.spans, HEADS)
    }

    /// Operations of the layers' products for a row, twice the number of weights.
    fn of_row() -> f64 {
        let weights = HIDDEN * (2 * HEADS.query + 2 * HEADS.kv) * HEADS.dim + 3 * HIDDEN * INNER;
        (2 * weights * LAYERS) as f64
    }

    /// Operations of one product of attention: queries that see keys.
    fn of_pairs(pairs: usize) -> f64 {
        (2 * pairs * HEADS.query * HEADS.dim * LAYERS) as f64
    }

    const PROMPT_PAIRS: usize = PROMPT * (PROMPT + 1) / 2;
    const REPLY_PAIRS: usize = REPLIES * (REPLY * PROMPT + REPLY * (REPLY + 1) / 2);

    fn prompt_flop(&self) -> f64 {
        PROMPT as f64 * Self::of_row() + 2.0 * Self::of_pairs(Self::PROMPT_PAIRS)
    }

    fn forward_flop(&self) -> f64 {
        (REPLIES * REPLY) as f64 * Self::of_row() + 2.0 * Self::of_pairs(Self::REPLY_PAIRS)
    }

    fn backward_flop(&self) -> f64 {
        let rows = (PROMPT + REPLIES * REPLY) as f64;
        2.0 * rows * Self::of_row() + 5.0 * Self::of_pairs(Self::PROMPT_PAIRS + Self::REPLY_PAIRS)
    }

    fn head_flop(&self) -> f64 {
        (6 * REPLIES * (REPLY + 1) * HIDDEN * VOCABULARY) as f64
    }

    fn decode_flop(&self) -> f64 {
        DECODED as f64 * (Self::of_row() + (2 * HIDDEN * VOCABULARY) as f64) + self.decode_pairs_flop()
    }

    fn decode_pairs_flop(&self) -> f64 {
        2.0 * Self::of_pairs(DECODED * (PROMPT + REPLY / 2))
    }
}
