//! `gpu idle`: a program for NVIDIA GPUs on a driver that computes nothing, on a machine without a GPU.
//!
//! Everything else is as on a GPU: kernels are compiled by NVIDIA's compiler, memory is taken and copied, graphs are
//! recorded. So a run shows whether the program goes its way, and its times are those of the host alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::compile::{driver, toolkit};

const USAGE: &str = "cargo xtask gpu idle --binary-dir DIR [--without-graphs] -- ARGUMENTS of toolrl";

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    /// Where `toolrl` lies, with libraries that it is run with beside it.
    binary_dir: PathBuf,
    /// Whether the driver refuses to record.
    without_graphs: bool,
    arguments: Vec<OsString>,
}

/// Runs the program.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let Request { binary_dir, without_graphs, arguments } = Request::parse(arguments)?;
    let program = binary_dir.join("toolrl");
    ensure!(program.is_file(), "{} has no toolrl", binary_dir.display());
    let dir = root.join("target/gpu-compile");
    let toolkit = toolkit(&dir)?;
    let driver = driver(root, &dir)?;
    let mut command = Command::new(program);
    command.args(arguments).env("CUDA_PATH", &toolkit);
    command.env("LD_LIBRARY_PATH", std::env::join_paths([driver, toolkit.join("lib")])?);
    let stub = binary_dir.join("libllvmstub.so");
    if stub.exists() {
        command.env("LD_PRELOAD", stub);
    }
    if without_graphs {
        command.env("IDLE_DRIVER_GRAPHS", "0");
    }
    let status = command.status().context("cannot start toolrl")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Request {
    fn parse(arguments: &[OsString]) -> anyhow::Result<Self> {
        let usage = || format!("usage: {USAGE}");
        let mut request = Self::default();
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            match name.to_str() {
                Some("--binary-dir") => request.binary_dir = arguments.next().with_context(usage)?.into(),
                Some("--without-graphs") => request.without_graphs = true,
                Some("--") => request.arguments = arguments.by_ref().cloned().collect(),
                _ => bail!("gpu idle has no {}; {}", name.display(), usage()),
            }
        }
        ensure!(!request.binary_dir.as_os_str().is_empty(), usage());
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
        assert_eq!(request, Request { binary_dir: "d".into(), without_graphs: true, arguments });
        for wrong in [&["gpu"][..], &["--binary-dir"], &[]] {
            assert!(parse(wrong).unwrap_err().to_string().contains("--binary-dir DIR"), "{wrong:?}");
        }
    }
}
