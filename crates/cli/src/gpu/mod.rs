//! `toolrl gpu`: checks of a device against the CPU, and its speed.

mod ceilings;
mod decoding;
mod grpo;
mod kernels;
mod parity;
mod quickstart;
mod report;
mod shapes;
mod training;

use std::time::Instant;

use anyhow::bail;
use burn::tensor::Device;
use clap::ValueEnum;
use toolrl_policy::{CudaReport, Place};
use toolrl_train::Registry;

use crate::args::{GpuCheckArgs, Scale, Stage};
use report::{Found, Report, Row};
use shapes::Peak;

/// What every stage is given.
struct Context<'a> {
    args: &'a GpuCheckArgs,
    registry: &'a Registry,
    place: Place,
    peak: Option<Peak>,
}

impl Context<'_> {
    fn device(&self) -> &Device {
        &self.place.device
    }

    fn tiny(&self) -> bool {
        self.args.scale == Scale::Tiny
    }

    /// Seconds of one of `n` runs, after `warm` that are not counted, with the device's work done.
    fn seconds(
        &self,
        warm: usize,
        n: usize,
        mut run: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<f64> {
        for _ in 0..warm {
            run()?;
        }
        self.wait()?;
        let begin = Instant::now();
        for _ in 0..n {
            run()?;
        }
        self.wait()?;
        Ok(begin.elapsed().as_secs_f64() / n as f64)
    }

    /// Waits until the device has done all it was given.
    fn wait(&self) -> anyhow::Result<()> {
        Ok(self.device().sync()?)
    }
}

/// Runs the stages; the table goes to standard output.
pub(crate) fn check(args: &GpuCheckArgs, registry: &Registry) -> anyhow::Result<()> {
    let place = args.device.open()?;
    let peak = Peak::of(&place.name);
    let context = Context { args, registry, place, peak };
    let mut report = Report::read(&args.out)?;
    let stages = if args.stages.is_empty() { Stage::value_variants() } else { args.stages.as_slice() };
    for &stage in stages {
        let name = format!("{stage:?}").to_lowercase();
        tracing::info!("{name} on {}", context.place.name);
        let begin = Instant::now();
        let rows = run(stage, &context)?;
        let found = Found {
            device: context.place.name.clone(),
            program: format!("toolrl {}", env!("CARGO_PKG_VERSION")),
            scale: format!("{:?}", args.scale).to_lowercase(),
            seconds: begin.elapsed().as_secs_f64(),
            rows,
        };
        report.add(&name, found, &args.out)?;
    }
    print!("{}", report.table());
    match report.failed() {
        0 => Ok(()),
        failed => bail!("{failed} comparisons failed; {} has all figures", args.out.display()),
    }
}

fn run(stage: Stage, context: &Context) -> anyhow::Result<Vec<Row>> {
    match stage {
        Stage::Doctor => Ok(doctor(context)),
        Stage::Kernels => kernels::check(context),
        Stage::Parity => parity::check(context),
        Stage::Quickstart => quickstart::check(context),
        Stage::Ceilings => ceilings::measure(context),
        Stage::Train => training::measure(context),
        Stage::Decode => decoding::measure(context),
        Stage::Grpo => grpo::measure(context),
    }
}

/// The figures of `toolrl doctor` that others are seen beside.
fn doctor(context: &Context) -> Vec<Row> {
    let mut rows = vec![Row::new("threads", rayon::current_num_threads() as f64, "")];
    for gpu in CudaReport::probe().gpus {
        let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
        rows.push(Row::new(format!("{} memory", gpu.name), gib(gpu.memory), "GiB"));
        rows.extend(gpu.free.map(|free| Row::new(format!("{} free", gpu.name), gib(free), "GiB")));
        rows.push(Row::new(format!("{} multiprocessors", gpu.name), f64::from(gpu.multiprocessors), ""));
    }
    if let Some(peak) = &context.peak {
        rows.push(Row::new("peak of bf16 products, by its maker", peak.flops / 1e12, "TFLOP/s"));
        rows.push(Row::new("bandwidth, by its maker", peak.bytes / 1e12, "TB/s"));
    }
    rows
}
