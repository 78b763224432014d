//! `gpu compile`: every kernel through NVIDIA's compiler and assembler, on a machine without a GPU.
//!
//! The tests of `toolrl-cube` that take the sizes of real models run on a driver that computes nothing
//! (`idle_driver.c`). What they hand it is real: the PTX that NVRTC made, which `ptxas` then assembles and tells the
//! registers of. NVIDIA's programs come from PyPI and stay in `target`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::bundle::succeed;
use crate::cargo;

const USAGE: &str = "cargo xtask gpu compile [--sm N]";

/// What is fetched: the compiler, its headers, and the assembler, of one release.
const WHEELS: [&str; 5] = [
    "nvidia-cuda-nvrtc==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-cccl==13.0.85",
    "nvidia-cuda-nvcc==13.0.88",
];

/// Compiles all kernels and prints what they take.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let sm = compute_capability(arguments)?;
    let dir = root.join("target/gpu-compile");
    let toolkit = toolkit(&dir)?;
    let driver = driver(root, &dir)?;
    let program = kernels_tests(root)?;
    let unlinked = unlinked(&program, &dir)?;
    let ptx = dir.join("ptx");
    if ptx.exists() {
        std::fs::remove_dir_all(&ptx)?;
    }
    std::fs::create_dir_all(&ptx)?;
    let libraries = std::env::join_paths([driver, toolkit.join("lib")])?;
    eprintln!("compiling for compute capability {}.{}", sm / 10, sm % 10);
    succeed(
        Command::new(program)
            .args(["models", "--nocapture"])
            .env("LD_PRELOAD", unlinked)
            .env("LD_LIBRARY_PATH", libraries)
            .env("CUDA_PATH", &toolkit)
            .env("IDLE_DRIVER_PTX", &ptx)
            .env("IDLE_DRIVER_SM", sm.to_string()),
    )
    .context("a kernel was refused")?;
    let mut kernels = assemble(&toolkit.join("bin/ptxas"), &ptx)?;
    ensure!(!kernels.is_empty(), "no kernel was compiled");
    kernels.sort_by(|a, b| a.name.cmp(&b.name));
    println!("{:>9} {:>13}  kernel", "registers", "bytes spilled");
    for Kernel { name, registers, spilled } in &kernels {
        println!("{registers:>9} {spilled:>13}  {name}");
    }
    println!("{} kernels compiled and assembled; PTX in {}", kernels.len(), ptx.display());
    Ok(ExitCode::SUCCESS)
}

fn compute_capability(arguments: &[OsString]) -> anyhow::Result<u32> {
    match arguments {
        [] => Ok(90),
        [name, value] if name == "--sm" => {
            let value = value.to_str().and_then(|value| value.parse().ok());
            value.filter(|sm| (80..200).contains(sm)).context("--sm takes a number such as 80 or 90")
        }
        _ => bail!("usage: {USAGE}"),
    }
}

/// NVIDIA's compiler, headers and assembler, fetched where they are not there yet.
pub(crate) fn toolkit(dir: &Path) -> anyhow::Result<PathBuf> {
    let (toolkit, wheels) = (dir.join("nvidia/cu13"), dir.join("wheels"));
    let (link, newest) = (toolkit.join("lib/libnvrtc.so"), toolkit.join("include/cccl/nv/target"));
    if link.exists() && newest.exists() {
        return Ok(toolkit);
    }
    std::fs::create_dir_all(&wheels)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&wheels).args(WHEELS);
    succeed(&mut pip).context("NVIDIA's compiler could not be fetched from PyPI")?;
    for wheel in std::fs::read_dir(&wheels)? {
        let wheel = wheel?.path();
        succeed(Command::new("python3").args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(dir))?;
    }
    succeed(Command::new("chmod").arg("+x").arg(toolkit.join("bin/ptxas")))?;
    if !link.exists() {
        std::os::unix::fs::symlink("libnvrtc.so.13", &link)?;
    }
    Ok(toolkit)
}

/// The folder of the driver. It bears the name without a version alone: by the other, NVRTC would find it and ask more
/// of it.
pub(crate) fn driver(root: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = dir.join("driver");
    std::fs::create_dir_all(&folder)?;
    let machine =
        built(cargo().args(["build", "--package=toolrl-machine", JSON]).current_dir(root), |message| {
            let mut files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str);
            files.rfind(|file| file.ends_with(".a")).map(PathBuf::from)
        })?;
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(folder.join("libcuda.so"));
    cc.arg(root.join("xtask/src/idle_driver.c")).arg(machine);
    succeed(cc.args(["-lpthread", "-ldl", "-lm"]))?;
    Ok(folder)
}

/// The tests of `toolrl-cube` for CUDA. As on docs.rs, cubecl fetches no LLVM: its other compiler, which is not asked
/// here, stays unlinked ([`unlinked`]).
pub(crate) fn kernels_tests(root: &Path) -> anyhow::Result<PathBuf> {
    let mut rustc = cargo();
    rustc
        .args(["rustc", "--package=toolrl-cube", "--test=kernels", "--features=cuda"])
        .args(["--config=profile.dev.opt-level=1"])
        .env("DOCS_RS", "1")
        .current_dir(root);
    let unlinked = ["--", "-Clink-arg=-Wl,--unresolved-symbols=ignore-all"];
    built(rustc.arg(JSON).args(unlinked), |message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
}

/// How cargo tells what it built.
const JSON: &str = "--message-format=json-render-diagnostics";

/// The last file of what cargo builds that `find` finds in its messages.
fn built(cargo: &mut Command, find: impl Fn(&Value) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let built = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(built.status.success(), "cargo failed");
    let messages = String::from_utf8(built.stdout).context("cargo's messages are no text")?;
    let found = messages.lines().filter_map(|line| find(&serde_json::from_str(line).ok()?));
    found.last().context("cargo names no file")
}

/// A library that has what the program was not linked with: functions that end it.
pub(crate) fn unlinked(program: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let nm = Command::new("nm").args(["--dynamic", "--undefined-only"]).arg(program).output();
    let symbols =
        String::from_utf8(nm.context("cannot start nm")?.stdout).context("nm's output is no text")?;
    let names = symbols
        .split_whitespace()
        .filter(|name| ["LLVM", "lld", "cubecl_"].iter().any(|p| name.starts_with(p)));
    let functions: String = names.map(|name| format!("void {name}(void) {{ abort(); }}\n")).collect();
    let (source, library) = (dir.join("unlinked.c"), dir.join("libunlinked.so"));
    std::fs::write(&source, format!("#include <stdlib.h>\n{functions}"))?;
    succeed(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source))?;
    Ok(library)
}

/// A kernel as the assembler describes it.
#[derive(Debug, PartialEq, Eq)]
struct Kernel {
    name: String,
    registers: u32,
    /// Bytes that a unit stores for want of registers.
    spilled: u32,
}

/// Assembles every PTX file of a folder.
fn assemble(ptxas: &Path, folder: &Path) -> anyhow::Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let target = target(&text).with_context(|| format!("{} names no target", path.display()))?;
        let mut command = Command::new(ptxas);
        command.arg(format!("--gpu-name={target}")).args(["--verbose", "--output-file=/dev/null"]).arg(&path);
        let done = command.output().context("cannot start ptxas")?;
        let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
        ensure!(done.status.success(), "{} cannot be assembled:\n{said}", path.display());
        kernels.extend(described(&said));
    }
    Ok(kernels)
}

/// The architecture that a PTX file is for.
fn target(ptx: &str) -> Option<&str> {
    let line = ptx.lines().find_map(|line| line.strip_prefix(".target "))?;
    line.split([',', ' ']).next().map(str::trim)
}

/// The kernels of `ptxas --verbose`.
fn described(said: &str) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    let number_before = |line: &str, unit: &str| -> Option<u32> {
        line.split_once(unit)?.0.rsplit([' ', ',']).find(|word| !word.is_empty())?.parse().ok()
    };
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let name = rest.split('\'').next().unwrap_or_default().to_owned();
            kernels.push(Kernel { name, registers: 0, spilled: 0 });
        } else if let Some(kernel) = kernels.last_mut() {
            kernel.spilled = number_before(line, " bytes spill stores").unwrap_or(kernel.spilled);
            kernel.registers = number_before(line, " registers").unwrap_or(kernel.registers);
        }
    }
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_assembler_says_is_read() {
        let said = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'by_key_f_bf16_n_8_b527cc37' for 'sm_90a'
ptxas info    : Function properties for by_key_f_bf16_n_8_b527cc37
    8 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 8 bytes cumulative stack size
ptxas info    : Compiling entry function 'join' for 'sm_90a'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers";
        let kernel = |name: &str, registers, spilled| Kernel { name: name.to_owned(), registers, spilled };
        assert_eq!(described(said), [kernel("by_key_f_bf16_n_8_b527cc37", 128, 12), kernel("join", 30, 0)]);
    }

    #[test]
    fn the_target_is_that_of_the_file() {
        assert_eq!(target(".version 9.0\n.target sm_90a\n.address_size 64"), Some("sm_90a"));
        assert_eq!(target(".target sm_80, debug"), Some("sm_80"));
        assert_eq!(target("//"), None);
    }

    #[test]
    fn capabilities_are_numbers_and_other_arguments_refused() {
        let parse = |given: &[&str]| {
            compute_capability(&given.iter().map(OsString::from).collect::<Vec<_>>())
                .map_err(|e| e.to_string())
        };
        assert_eq!(parse(&[]), Ok(90));
        assert_eq!(parse(&["--sm", "80"]), Ok(80));
        for (wrong, part) in [(&["--sm", "9"][..], "such as"), (&["--sm"], "usage"), (&["80"], "usage")] {
            assert!(parse(wrong).is_err_and(|message| message.contains(part)), "{wrong:?}");
        }
    }
}
