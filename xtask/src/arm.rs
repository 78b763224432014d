//! The CPU's kernels on 64-bit ARM: built for it, and tested in an emulator where this machine is another.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cargo;

const TARGET: &str = "aarch64-unknown-linux-gnu";
/// With bf16's products, which not every ARM has.
const EMULATOR: &str = "qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// What has to be there, by Debian's names.
const NEEDS: &str = "rustup target add aarch64-unknown-linux-gnu; apt-get install gcc-aarch64-linux-gnu \
                     libc6-dev-arm64-cross qemu-user";
/// Products of a layer's size, which an emulator computes for minutes; smaller ones have the same tiles.
const SKIPPED: &str = "of_a_layers_size";

/// Whether the tests of `toolrl-cpu` pass.
pub(crate) fn passes(root: &Path) -> anyhow::Result<bool> {
    let mut tests = cargo();
    tests.args(["test", "--package=toolrl-cpu"]).current_dir(root);
    if !cfg!(target_arch = "aarch64") {
        for program in [LINKER, "qemu-aarch64"] {
            ensure!(is_there(program), "{program} is not there; what the step arm needs: {NEEDS}");
        }
        tests
            .args(["--target", TARGET, "--", "--skip", SKIPPED])
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", EMULATOR);
    }
    Ok(tests.status().context("cannot start cargo test")?.success())
}

fn is_there(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
