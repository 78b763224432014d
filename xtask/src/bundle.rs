//! `gpu bundle`: one folder that runs on a GPU machine without cargo and without a network.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::cargo;

/// What the folder may take, without the pieces of larger files.
const LIMIT: u64 = 60 << 20;

/// A piece of a larger file.
const PIECE: usize = 48 << 20;

const USAGE: &str = "cargo xtask gpu bundle [--binary-dir DIR] [--golden DIR] [--file PATH]... [--out DIR]";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Where `toolrl` lies, built elsewhere; with all files beside it, such as libraries that it is run with.
    binary_dir: Option<PathBuf>,
    /// Model directories with stored values.
    golden: Option<PathBuf>,
    /// Larger files, such as a model's weights.
    files: Vec<PathBuf>,
    out: PathBuf,
}

/// Packs the folder and prints what is in it.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let Request { binary_dir, golden, files, out } = Request::parse(root, arguments)?;
    let binary_dir = match binary_dir {
        Some(dir) => dir,
        None => build(root)?,
    };
    ensure!(binary_dir.join("toolrl").is_file(), "{} has no toolrl", binary_dir.display());
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("cannot replace {}", out.display()))?;
    }
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    archive(&binary_dir, &out.join("program.tar.xz"))?;
    if let Some(golden) = golden {
        archive(&golden, &out.join("golden.tar.xz"))?;
    }
    for (from, to) in [("xtask/src/bundle.sh", "run.sh"), ("tests/python/gpu_baseline.py", "gpu_baseline.py")]
    {
        std::fs::copy(root.join(from), out.join(to)).with_context(|| format!("cannot copy {from}"))?;
    }
    let size = print_sizes(&out)?;
    ensure!(size < LIMIT, "{} takes {size} bytes, and may take {LIMIT}", out.display());
    println!("{:>12} bytes in all, of at most {LIMIT}", size);
    for file in &files {
        split(file, &out)?;
    }
    println!("on the GPU machine: bash {}/run.sh check --stage doctor", out.display());
    Ok(ExitCode::SUCCESS)
}

impl Request {
    fn parse(root: &Path, arguments: &[OsString]) -> anyhow::Result<Self> {
        let mut request =
            Self { binary_dir: None, golden: None, files: Vec::new(), out: root.join("target/gpu-bundle") };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut path = || arguments.next().map(PathBuf::from).with_context(|| format!("usage: {USAGE}"));
            match name.to_str() {
                Some("--binary-dir") => request.binary_dir = Some(path()?),
                Some("--golden") => request.golden = Some(path()?),
                Some("--file") => request.files.push(path()?),
                Some("--out") => request.out = path()?,
                _ => bail!("gpu bundle has no {}; usage: {USAGE}", name.display()),
            }
        }
        Ok(request)
    }
}

/// Builds the program and puts it, stripped, into a folder of its own.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let arguments =
        ["build", "--release", "--package", "toolrl-cli", "--bin", "toolrl", "--features", "cuda"];
    let target = root.join("target");
    let built = cargo().args(arguments).arg("--target-dir").arg(&target).current_dir(root).status();
    ensure!(built.context("cannot start cargo")?.success(), "cargo {} failed", arguments.join(" "));
    let dir = target.join("gpu-program");
    std::fs::create_dir_all(&dir)?;
    succeed(Command::new("strip").arg("-o").arg(dir.join("toolrl")).arg(target.join("release/toolrl")))?;
    Ok(dir)
}

/// Packs what lies in a directory.
fn archive(dir: &Path, to: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.env("XZ_OPT", "-6 -T0").args(["--xz", "--dereference", "--directory"]).arg(dir).arg("--file").arg(to);
    succeed(tar.args(["--create", "."]))
}

/// Writes a file in pieces, each in a folder of its own.
fn split(file: &Path, out: &Path) -> anyhow::Result<()> {
    let name = file.file_name().and_then(|name| name.to_str()).context("a file needs a name")?;
    let mut from = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    for number in 0.. {
        let mut piece = Vec::new();
        Read::by_ref(&mut from).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        let dir = out.with_file_name(format!("gpu-piece-{number}"));
        std::fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{name}.{number:03}"));
        File::create(&path)?.write_all(&piece).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{:>12} bytes in {}", piece.len(), path.display());
    }
    Ok(())
}

/// A line a file; their sum.
fn print_sizes(out: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(out)? {
        let entry = entry?;
        let size = entry.metadata()?.len();
        println!("{size:>12} bytes in {}", entry.path().display());
        sum += size;
    }
    Ok(sum)
}

/// Runs a program that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "{} failed", program.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_in_any_order_and_others_refused() {
        let parse = |given: &[&str]| {
            Request::parse(Path::new("/w"), &given.iter().map(OsString::from).collect::<Vec<_>>())
        };
        let request = parse(&["--file", "a", "--binary-dir", "b", "--file", "c"]).unwrap();
        assert_eq!(request.files, [PathBuf::from("a"), "c".into()]);
        assert_eq!((request.binary_dir, request.out), (Some("b".into()), "/w/target/gpu-bundle".into()));
        for wrong in [&["--golden"][..], &["--size", "3"], &["b"]] {
            assert!(parse(wrong).unwrap_err().to_string().contains("usage"), "{wrong:?}");
        }
    }
}
