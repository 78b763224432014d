//! `wheel`: the package for Python, built by maturin and tested where it is installed.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

/// The release of maturin that builds it, and what tests it.
const TOOLS: [&str; 2] = ["maturin>=1.8,<2", "pytest"];

/// Builds the wheel into `target/wheels`, and prints its path and size; with `--test` runs its tests on an installed one.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let tests = match arguments {
        [] => false,
        [only] if only == "--test" => true,
        [other, ..] => bail!("wheel has no argument {}; there is --test", other.display()),
    };
    let wheels = root.join("target/wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).with_context(|| format!("cannot empty {}", wheels.display()))?;
    }
    let tools = environment(&root.join("target/wheel/tools"), &TOOLS[..1])?;
    // One to be tested has the profile of the tests, which compiles faster.
    let profile = if tests { "dev" } else { "release" };
    let build = ["-m", "maturin", "build", "--quiet", "--profile", profile, "--out"];
    succeeds(Command::new(&tools).args(build).arg(&wheels).current_dir(root.join("crates/python")))?;
    let wheel = std::fs::read_dir(&wheels)?.next().context("maturin wrote no wheel")??;
    println!("{} ({:.1} MB)", wheel.path().display(), wheel.metadata()?.len() as f64 / 1e6);
    if tests {
        let installed = environment(&root.join("target/wheel/tests"), &TOOLS[1..])?;
        let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"];
        succeeds(Command::new(&installed).args(install).arg(wheel.path()))?;
        succeeds(
            Command::new(&installed).args(["-m", "pytest", "-q"]).arg(root.join("crates/python/tests")),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The interpreter of a virtual environment with these packages, which is made where it is not there.
fn environment(folder: &Path, packages: &[&str]) -> anyhow::Result<OsString> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    }
    succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    Ok(python.into_os_string())
}

fn succeeds(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}
