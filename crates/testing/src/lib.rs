//! What tests of several crates share: where reference values are that are not committed, the device to compute on, and a
//! server that answers as a test says.
//!
//! Invariant: tests alone link it. What is absent is told, and fails where it is required.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(feature = "stub")]
pub mod stub;

/// A file or folder of the reference values: under the folder that `TOOLRL_SHARED` names, or under `../shared` beside the
/// repository. `None`, with a message, where it is absent.
///
/// # Panics
/// Where it is absent and `TOOLRL_REQUIRE_SHARED` is 1.
pub fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    found(variable("TOOLRL_SHARED").map_or_else(beside, PathBuf::from).join(path))
}

/// The lines of a gzip file of the reference values that hold any text.
///
/// # Panics
/// As [`shared`], and where the file is no gzip file of UTF-8.
pub fn shared_lines(path: &str) -> Option<Vec<String>> {
    let packed = std::fs::File::open(shared(path)?).expect("the file opens");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("it unpacks");
    Some(text.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// What PyTorch computed of a tiny policy: losses, gradients, updates.
pub struct Reference {
    /// The policy's directory.
    pub policy: PathBuf,
    /// The folder of `reference.json` and `full_grads_f32.safetensors`.
    pub values: PathBuf,
}

/// The committed one, which `fixtures/reference/make.py` writes, and the larger one of the reference values where they are.
///
/// # Panics
/// As [`shared`].
pub fn references() -> Vec<Reference> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference");
    let committed = Reference { policy: committed.join("policy"), values: committed };
    let larger = shared("golden/model/tiny/qwen2_tied").zip(shared("golden/model/grpo"));
    let larger = larger.map(|(policy, values)| Reference { policy, values });
    std::iter::once(committed).chain(larger).collect()
}

/// The directory of SmolLM2-135M-Instruct, which `TOOLRL_SMOLLM2` names.
///
/// # Panics
/// Where the variable names what is absent and `TOOLRL_REQUIRE_SHARED` is 1.
pub fn smollm2() -> Option<PathBuf> {
    found(named("TOOLRL_SMOLLM2", "model directory")?)
}

/// BFCL's own `long_context.py`, which `TOOLRL_BFCL_LONG_CONTEXT` names.
///
/// # Panics
/// As [`smollm2`].
pub fn long_context() -> Option<PathBuf> {
    found(named("TOOLRL_BFCL_LONG_CONTEXT", "long_context.py")?)
}

/// What a server of a real model should answer, which `crates/servers/tests/live/case.py` writes into the folder that
/// `TOOLRL_SERVER_CASE` names.
///
/// # Panics
/// As [`smollm2`].
pub fn server_case() -> Option<PathBuf> {
    found(named("TOOLRL_SERVER_CASE", "folder of case.py")?)
}

/// Whether a program can be run; told where it cannot.
///
/// # Panics
/// Where `python3` cannot and `TOOLRL_REQUIRE_SHARED` is 1: other languages are not everywhere.
pub fn has_program(name: &str) -> bool {
    let ran = std::process::Command::new(name).arg("--version").output();
    let is_there = ran.is_ok_and(|ran| ran.status.success());
    let required = variable("TOOLRL_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(is_there || !required || name != "python3", "{name} is required and cannot be run");
    if !is_there {
        eprintln!("skipped: {name} cannot be run");
    }
    is_there
}

/// The CPU; in builds for any GPU by Vulkan the one that is there, which may be a software one, unless
/// `TOOLRL_TEST_DEVICE` is `cpu`.
#[cfg(feature = "burn")]
pub fn device() -> burn::tensor::Device {
    #[cfg(feature = "wgpu")]
    if variable("TOOLRL_TEST_DEVICE").is_none_or(|device| device != "cpu") {
        return burn::tensor::Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    }
    burn::tensor::Device::flex()
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The path that a variable names.
fn named(name: &str, what: &str) -> Option<PathBuf> {
    let path = variable(name).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {name} names no {what}");
    }
    path
}

fn found(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let required = variable("TOOLRL_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "{} is required and absent", path.display());
    eprintln!("skipped: {} is absent", path.display());
    None
}
