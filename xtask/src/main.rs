//! Development commands of this workspace, run as `cargo xtask COMMAND`.
//!
//! Invariant: nothing of the workspace and no burn is linked here, so that `cargo xtask` itself builds
//! in seconds; whatever is heavy runs in a `cargo` that this program starts.

mod arm;
mod bundle;
mod compile;
mod forward;
mod fuzz;
mod idle;
mod tidy;
mod validate;
mod wheel;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;

const HELP: &str = "\
Development commands of the toolrl workspace

Usage: cargo xtask <COMMAND> [ARGUMENTS]...

Commands of the workspace:
  validate [STEP]...  What CI checks, cheapest first; before a commit, run this.
                      Steps: fmt, tidy, clippy, docs, cuda, kernels, alone, arm, wheel, tests, vulkan;
                      all of them by default
  tidy                The rules of the repository alone: crate edges, module docs, file lengths,
                      printing, environment variables, cited paths, licences
  gpu bundle          Packs a program for NVIDIA GPUs, test data and scripts into one folder that runs without cargo
                      (docs/gpu.md)
  gpu compile         Compiles every kernel by NVIDIA's compiler, without a GPU, and tells the registers that each
                      takes (docs/gpu.md)
  gpu idle            Runs a program for NVIDIA GPUs on a driver that computes nothing: times of the host alone
                      (docs/gpu.md)
  gpu emulate         Runs the kernels' tests, or a program for NVIDIA GPUs, on a driver that runs PTX on the CPU
                      (docs/gpu.md)
  wheel [--test]      Builds the package for Python into target/wheels, and runs its tests on an installed one
                      (crates/python/README.md). Needs python3 with venv; maturin comes from PyPI
  fuzz [TARGET]... [--minutes N] [--list]
                      Runs the fuzz targets, N minutes each (1 by default), and prints what each came to.
                      Needs cargo-fuzz and the nightly compiler
  help                This text

Every other command is one of `toolrl`, built as needed and run with the arguments as they are:
  cargo xtask train              trains the quickstart policy and reports before and after
  cargo xtask eval --policy DIR  evaluates a model directory
  cargo xtask study quick        compares fine-tuning and GRPO over three seeds
  cargo xtask toolrl --help      lists all of them
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| OsString::from("help"));
    match run(command, arguments.collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command with its arguments.
fn run(command: OsString, arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    match command.to_str() {
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some("validate") => validate::run(&root()?, &arguments),
        Some("fuzz") => fuzz::run(&root()?, &arguments),
        Some("tidy") => tidy::run(&root()?),
        Some("wheel") => wheel::run(&root()?, &arguments),
        Some("gpu") if arguments.first().is_some_and(|first| first == "bundle") => {
            bundle::run(&root()?, &arguments[1..])
        }
        Some("gpu") if arguments.first().is_some_and(|first| first == "compile") => {
            compile::run(&root()?, &arguments[1..])
        }
        Some("gpu") if arguments.first().is_some_and(|first| first == "idle") => {
            idle::run(&root()?, &arguments[1..], idle::Device::Idle)
        }
        Some("gpu") if arguments.first().is_some_and(|first| first == "emulate") => {
            idle::run(&root()?, &arguments[1..], idle::Device::Emulated)
        }
        Some("toolrl") => forward::toolrl(&arguments),
        _ => forward::toolrl(&[vec![command], arguments].concat()),
    }
}

/// The root of the workspace: the folder above this package.
fn root() -> anyhow::Result<PathBuf> {
    // What cargo says now comes first: a target directory can outlive the checkout that filled it.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Ok(Path::new(&package).parent().context("the package stands in no workspace")?.to_owned())
}

/// The cargo that started this program.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}
