//! `toolrl bench gemm`: matrix products at the shapes of models.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::ensure;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use toolrl_cpu::element::narrow;
use toolrl_cpu::gemm::{Mat, Threads, Write, gemm as multiply};
use toolrl_cpu::numbers::Floats;
use toolrl_cpu::{Isa, peak, skinny};

use crate::args::{BenchGemmArgs, ModelShapes};

/// How long one measure takes at least.
const SLICE: Duration = Duration::from_millis(6);
/// Rows of a pass in training, of a chunk of the head, and of decoding.
const TRAINING: usize = 1024;
const HEAD: usize = 256;
const DECODING: [usize; 6] = [64, 16, 8, 4, 2, 1];

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row {
    model: &'static str,
    product: &'static str,
    shape: [usize; 3],
    isa: &'static str,
    gflops: f64,
    over_burn: f64,
    over_gemm: f64,
    of_peak: f64,
    bf16_gflops: f64,
    bf16_of_peak: f64,
}

/// Every product's figures, as JSON or as a table's rows.
pub(crate) fn gemm(args: &BenchGemmArgs) -> anyhow::Result<()> {
    ensure!(args.rounds > 0, "--rounds should be at least 1");
    if !args.json {
        println!(
            "{:<8} {:<9} {:>20} {:>8} {:>7} {:>7} {:>6} {:>8} {:>6}",
            "model", "product", "rows x in x out", "GFLOP/s", "x burn", "x gemm", "peak", "bf16", "peak"
        );
    }
    for (model, name, layers, vocabulary) in [
        (ModelShapes::Tiny, "tiny", &[(128, 128), (128, 384), (384, 128)][..], 2024),
        (ModelShapes::Smollm2, "smollm2", &[(576, 576), (576, 192), (576, 1536), (1536, 576)], 49_152),
        (ModelShapes::Qwen2, "qwen2", &[(896, 896), (896, 128), (896, 4864), (4864, 896)], 151_936),
    ] {
        if args.model.is_some_and(|only| only != model) {
            continue;
        }
        for &(width, outputs) in layers {
            for rows in [TRAINING].into_iter().chain(DECODING) {
                Layer::new(rows, width, outputs).measure(args, name);
            }
        }
        for rows in [HEAD, 16, 1] {
            Layer::new(rows, layers[0].0, vocabulary).measure(args, name);
        }
    }
    Ok(())
}

/// A linear layer's products, and what they are made of.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `x * weight^T`.
    Forward,
    /// `grad * weight`.
    ByInput,
    /// `grad^T * x`.
    ByWeight,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::ByInput => "by input",
            Self::ByWeight => "by weight",
        }
    }
}

/// A linear layer's numbers.
struct Layer {
    /// Rows, width and outputs.
    shape: [usize; 3],
    x: Vec<f32>,
    weight: Vec<f32>,
    grad: Vec<f32>,
}

impl Layer {
    fn new(rows: usize, width: usize, outputs: usize) -> Self {
        let numbers =
            |n: usize, step: usize| (0..n).map(|i| (i * step % 1009) as f32 / 1009.0 - 0.5).collect();
        Self {
            shape: [rows, width, outputs],
            x: numbers(rows * width, 37),
            weight: numbers(outputs * width, 53),
            grad: numbers(rows * outputs, 71),
        }
    }

    /// Measures the forward product, and for as many rows as training has those that gradients are made by.
    fn measure(&self, args: &BenchGemmArgs, model: &'static str) {
        let training = self.shape[0] > skinny::MAX_ROWS;
        for kind in [Kind::Forward, Kind::ByInput, Kind::ByWeight] {
            if training || kind == Kind::Forward {
                self.row(kind, args.rounds, model).print(args.json);
            }
        }
    }

    fn row(&self, kind: Kind, rounds: usize, model: &'static str) -> Row {
        let narrow = [&self.x, &self.weight, &self.grad].map(|of| narrow(of));
        let wide = [&self.x, &self.weight, &self.grad].map(|of| Floats::F32(of));
        let narrow = narrow.each_ref().map(|of| Floats::Bf16(of));
        let (mut of_burn, mut of_gemm) = (self.of_burn(kind), self.of_gemm(kind));
        let product = (2 * self.shape.iter().product::<usize>()) as f64;
        let result = match kind {
            Kind::Forward => self.grad.len(),
            Kind::ByInput => self.x.len(),
            Kind::ByWeight => self.weight.len(),
        };
        let (mut of_wide, mut of_narrow) = (vec![0.0; result], vec![0.0; result]);
        let [ours, burn, gemm, top, in_bf16, top_bf16] = best(
            rounds,
            [
                &mut || self.of_ours(kind, wide, &mut of_wide, product),
                &mut || of_burn(product),
                &mut || of_gemm(product),
                &mut || on_all_threads(peak::multiply_adds),
                &mut || self.of_ours(kind, narrow, &mut of_narrow, product),
                &mut || on_all_threads(|turns| peak::multiply_adds_of_bf16(turns).unwrap_or(0)),
            ],
        );
        Row {
            model,
            product: kind.name(),
            shape: self.shape,
            isa: Isa::current().name(),
            gflops: ours,
            over_burn: ours / burn,
            over_gemm: ours / gemm,
            of_peak: ours / top,
            bf16_gflops: in_bf16,
            bf16_of_peak: in_bf16 / top_bf16.max(top),
        }
    }

    /// Into memory that is there, as training adds gradients; few rows' products make their own.
    fn of_ours(&self, kind: Kind, [x, weight, grad]: [Floats; 3], out: &mut [f32], operations: f64) -> f64 {
        let [rows, width, outputs] = self.shape;
        let x_mat = Mat::stored(x, rows, width, width);
        let weight_mat = Mat::stored(weight, outputs, width, width);
        let grad = Mat::stored(grad, rows, outputs, outputs);
        let (cols, lhs, rhs) = match kind {
            Kind::Forward if rows <= skinny::MAX_ROWS => {
                drop(black_box(skinny::project(x, weight, width)));
                return operations;
            }
            Kind::Forward => (outputs, x_mat, weight_mat.t()),
            Kind::ByInput => (width, grad, weight_mat),
            Kind::ByWeight => (width, grad.t(), x_mat),
        };
        multiply(black_box(out), cols, Write::Set, lhs, rhs, Threads::All);
        operations
    }

    fn of_burn(&self, kind: Kind) -> impl FnMut(f64) -> f64 + use<> {
        let [rows, width, outputs] = self.shape;
        let device = Device::flex();
        let tensor = |of: &[f32], shape| Tensor::<2>::from_data(TensorData::new(of.to_vec(), shape), &device);
        let (x, weight) = (tensor(&self.x, [rows, width]), tensor(&self.weight, [outputs, width]));
        let grad = tensor(&self.grad, [rows, outputs]);
        move |operations| {
            drop(black_box(match kind {
                Kind::Forward => x.clone().matmul(weight.clone().transpose()),
                Kind::ByInput => grad.clone().matmul(weight.clone()),
                Kind::ByWeight => grad.clone().transpose().matmul(x.clone()),
            }));
            operations
        }
    }

    fn of_gemm(&self, kind: Kind) -> impl FnMut(f64) -> f64 {
        let [rows, width, outputs] = self.shape;
        // Rows, columns and the inner size; then each operand with how far its rows and its columns are apart.
        let ((m, n, k), (lhs, lhs_rows, lhs_cols), (rhs, rhs_rows, rhs_cols)) = match kind {
            Kind::Forward => ((rows, outputs, width), (&self.x, width, 1), (&self.weight, 1, width)),
            Kind::ByInput => ((rows, width, outputs), (&self.grad, outputs, 1), (&self.weight, width, 1)),
            Kind::ByWeight => ((outputs, width, rows), (&self.grad, 1, outputs), (&self.x, width, 1)),
        };
        let mut out = vec![0.0_f32; m * n];
        move |operations| {
            let [lhs_rows, lhs_cols, rhs_rows, rhs_cols] =
                [lhs_rows, lhs_cols, rhs_rows, rhs_cols].map(|stride| stride as isize);
            // SAFETY: matrices of these sizes, the result of which nobody else sees.
            unsafe {
                let (to, lhs, rhs) = (out.as_mut_ptr(), lhs.as_ptr(), rhs.as_ptr());
                let (lhs, rhs) = ((lhs, lhs_cols, lhs_rows), (rhs, rhs_cols, rhs_rows));
                let threads = ::gemm::Parallelism::Rayon(0);
                ::gemm::gemm(
                    m, n, k, to, 1, n as isize, false, lhs.0, lhs.1, lhs.2, rhs.0, rhs.1, rhs.2, 0.0, 1.0,
                    false, false, false, threads,
                );
            }
            operations
        }
    }
}

/// The operations of so many turns on every thread.
fn on_all_threads(multiply_adds: impl Fn(u64) -> u64 + Sync) -> f64 {
    const TURNS: u64 = 100_000;
    rayon::broadcast(|_| multiply_adds(TURNS)).into_iter().sum::<u64>() as f64
}

/// GFLOP/s of programs that say how many operations a run of them was: of each the best of many measures in turn.
fn best<const N: usize>(rounds: usize, mut programs: [&mut dyn FnMut() -> f64; N]) -> [f64; N] {
    let mut best = [0.0; N];
    programs.iter_mut().for_each(|run| {
        run();
    });
    for _ in 0..rounds {
        for (best, run) in best.iter_mut().zip(&mut programs) {
            let (start, mut operations) = (Instant::now(), 0.0);
            while start.elapsed() < SLICE {
                operations += run();
            }
            *best = f64::max(*best, operations / start.elapsed().as_secs_f64() / 1e9);
        }
    }
    best
}

impl Row {
    fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", serde_json::json!(self));
            return;
        }
        let [rows, width, outputs] = self.shape;
        println!(
            "{:<8} {:<9} {:>20} {:>8.1} {:>7.2} {:>7.2} {:>5.0}% {:>8.1} {:>5.0}%",
            self.model,
            self.product,
            format!("{rows} x {width} x {outputs}"),
            self.gflops,
            self.over_burn,
            self.over_gemm,
            100.0 * self.of_peak,
            self.bf16_gflops,
            100.0 * self.bf16_of_peak,
        );
    }
}
