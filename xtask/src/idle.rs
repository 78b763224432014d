//! `gpu idle` and `gpu emulate`: programs for NVIDIA GPUs on a machine without one.
//!
//! Everything but the computing is as on a GPU: kernels are compiled by NVIDIA's compiler, memory is taken and copied,
//! graphs are recorded. On an idle device kernels do nothing, and times are those of the host alone; on an emulated one
//! their PTX is run on the CPU (`toolrl-machine`), and results are those of a GPU.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::compile::{driver, kernels_tests, toolkit, unlinked};

const USAGE: &str = "cargo xtask gpu idle --binary-dir DIR [--without-graphs] -- ARGUMENTS of toolrl
       cargo xtask gpu emulate [--binary-dir DIR] [--without-graphs] [-- ARGUMENTS of toolrl, or of the kernels' tests]";

/// What the device does with a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// Nothing.
    Idle,
    /// What its PTX says.
    Emulated,
}

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    /// Where `toolrl` lies, with libraries that it is run with beside it; the kernels' tests where none is named.
    binary_dir: Option<PathBuf>,
    /// Whether the driver refuses to record.
    without_graphs: bool,
    arguments: Vec<OsString>,
}

/// Runs the program, or the kernels' tests.
pub(crate) fn run(root: &Path, arguments: &[OsString], device: Device) -> anyhow::Result<ExitCode> {
    let Request { binary_dir, without_graphs, arguments } = Request::parse(arguments)?;
    let dir = root.join("target/gpu-compile");
    let toolkit = toolkit(&dir)?;
    let driver = driver(root, &dir)?;
    let tests = binary_dir.is_none();
    let (program, stub) = match binary_dir {
        Some(binary_dir) => {
            let program = binary_dir.join("toolrl");
            ensure!(program.is_file(), "{} has no toolrl", binary_dir.display());
            let stub = binary_dir.join("libllvmstub.so");
            (program, stub.exists().then_some(stub))
        }
        None if device == Device::Idle => bail!("usage: {USAGE}"),
        None => {
            let program = kernels_tests(root)?;
            let unlinked = unlinked(&program, &dir)?;
            (program, Some(unlinked))
        }
    };
    let mut command = Command::new(program);
    if tests {
        // Those with the sizes of real models say nothing of values, and would take hours here.
        command.args(["--skip", "models::", "--test-threads=1"]);
    }
    command.args(arguments).env("CUDA_PATH", &toolkit);
    command.env("LD_LIBRARY_PATH", std::env::join_paths([driver, toolkit.join("lib")])?);
    if let Some(stub) = stub {
        command.env("LD_PRELOAD", stub);
    }
    if without_graphs {
        command.env("IDLE_DRIVER_GRAPHS", "0");
    }
    if device == Device::Emulated {
        command.env("IDLE_DRIVER_RUNS", "1");
    }
    let status = command.status().context("cannot start the program")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Request {
    fn parse(arguments: &[OsString]) -> anyhow::Result<Self> {
        let usage = || format!("usage: {USAGE}");
        let mut request = Self::default();
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            match name.to_str() {
                Some("--binary-dir") => {
                    request.binary_dir = Some(arguments.next().with_context(usage)?.into());
                }
                Some("--without-graphs") => request.without_graphs = true,
                Some("--") => request.arguments = arguments.by_ref().cloned().collect(),
                _ => bail!("gpu has no {}; {}", name.display(), usage()),
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Request> {
        Request::parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let request =
            parse(&["--without-graphs", "--binary-dir", "d", "--", "gpu", "--without-graphs"]).unwrap();
        let arguments = ["gpu", "--without-graphs"].map(OsString::from).to_vec();
        assert_eq!(request, Request { binary_dir: Some("d".into()), without_graphs: true, arguments });
        for wrong in [&["gpu"][..], &["--binary-dir"]] {
            assert!(parse(wrong).unwrap_err().to_string().contains("--binary-dir DIR"), "{wrong:?}");
        }
    }
}
