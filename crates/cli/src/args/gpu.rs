//! The arguments of `toolrl gpu`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use toolrl_policy::DeviceChoice;

/// The commands about a GPU.
#[derive(Debug, Subcommand)]
pub enum GpuCommand {
    /// Check a device against the CPU, and measure it
    #[command(after_help = CHECK_HELP)]
    Check(GpuCheckArgs),
}

const CHECK_HELP: &str = "\
Stages, the most telling first:
  doctor      what is there, and what would go wrong
  kernels     every fused operation and its gradients against the CPU's, f32 and bf16
  parity      log-probabilities, gradients and greedy replies of a whole policy against the
              CPU's, and with --golden against stored values
  quickstart  a few steps of the quickstart recipe
  ceilings    matrix products and copies: what the device can do
  train       forward and backward of shapes like Qwen2.5-0.5B and -1.5B: tokens/s and share
              of the peak
  decode      replies of such shapes at batches of 1 to 256: tokens/s, share of the bandwidth
  grpo        one whole GRPO step of the paper's shape, scaled to fit

Each stage goes into the JSON file of --out under its name, beside those that are there; the table of all of them goes \
to standard output. The exit code is 0 where nothing differs by more than it may.";

/// Arguments of `toolrl gpu check`.
#[derive(Debug, Args)]
pub struct GpuCheckArgs {
    /// What is checked; may be repeated [default: all, in the order below]
    #[arg(long = "stage", value_name = "NAME")]
    pub stages: Vec<Stage>,
    /// The device: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
    /// How large: `full` for a GPU, `tiny` for seconds on a CPU
    #[arg(long, value_name = "SCALE", default_value = "full")]
    pub scale: Scale,
    /// The JSON file of the results
    #[arg(long, value_name = "FILE", default_value = "gpu-check.json")]
    pub out: PathBuf,
    /// Stored values: a directory of model directories, each with an io.safetensors of input_ids and logits
    #[arg(long, value_name = "DIR")]
    pub golden: Option<PathBuf>,
}

/// A part of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// What is there.
    Doctor,
    /// Operations against the CPU's.
    Kernels,
    /// A policy against the CPU's.
    Parity,
    /// A few steps of the quickstart.
    Quickstart,
    /// Matrix products and copies.
    Ceilings,
    /// Forward and backward passes.
    Train,
    /// Replies.
    Decode,
    /// A whole GRPO step.
    Grpo,
}

/// How large the shapes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scale {
    /// Those of real models.
    Full,
    /// Such as a CPU computes in seconds.
    Tiny,
}
