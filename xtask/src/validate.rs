//! `validate`: what CI checks, cheapest first.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::tidy::metadata::Workspace;
use crate::{arm, cargo, tidy, wheel};

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Formatting.
    Fmt,
    /// The repository's rules.
    Tidy,
    /// Lints, warnings denied.
    Clippy,
    /// Documentation builds, warnings denied.
    Docs,
    /// The program for NVIDIA GPUs linted, which type-checks it: nothing of CUDA is needed for that.
    Cuda,
    /// The GPU's kernels, tested on a GPU or a software one by Vulkan.
    Kernels,
    /// The same, and what is made of them: burn's operations, replies, updates. Burn is compiled once more for that.
    Vulkan,
    /// Each crate built by itself, and tested so where that is cheap.
    Alone,
    /// The CPU's kernels built for 64-bit ARM, and tested in an emulator.
    Arm,
    /// The package for Python, built, installed and tested.
    Wheel,
    /// All tests together.
    Tests,
}

/// The steps in the order they run, with their names.
const STEPS: [(&str, Step); 11] = [
    ("fmt", Step::Fmt),
    ("tidy", Step::Tidy),
    ("clippy", Step::Clippy),
    ("docs", Step::Docs),
    ("cuda", Step::Cuda),
    ("kernels", Step::Kernels),
    ("alone", Step::Alone),
    ("arm", Step::Arm),
    ("wheel", Step::Wheel),
    ("tests", Step::Tests),
    ("vulkan", Step::Vulkan),
];

/// Runs the named steps, or all of them, and stops at the first that fails.
pub(crate) fn run(root: &Path, names: &[OsString]) -> anyhow::Result<ExitCode> {
    for (name, step) in chosen(names)? {
        eprintln!("== {name}");
        let start = Instant::now();
        if !passes(step, root)? {
            eprintln!("== {name} failed; again alone: cargo xtask validate {name}");
            return Ok(ExitCode::FAILURE);
        }
        eprintln!("== {name} passed in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

/// The steps of these names in the order above; all where no name is given.
fn chosen(names: &[OsString]) -> anyhow::Result<Vec<(&'static str, Step)>> {
    for name in names {
        if !STEPS.iter().any(|(step, _)| name == step) {
            let known = STEPS.map(|(step, _)| step).join(", ");
            bail!("validate has no step {}; its steps are {known}", name.display());
        }
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    Ok(STEPS.into_iter().filter(|(name, _)| wanted(name)).collect())
}

/// Whether a step finds nothing wrong.
fn passes(step: Step, root: &Path) -> anyhow::Result<bool> {
    match step {
        Step::Fmt => succeeds(root, &["fmt", "--all", "--check"], &[]),
        Step::Tidy => Ok(tidy::run(root)? == ExitCode::SUCCESS),
        Step::Clippy => {
            succeeds(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
        }
        Step::Docs => succeeds(
            root,
            &["doc", "--workspace", "--no-deps", "--document-private-items"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
        // As on docs.rs: cubecl then fetches no LLVM, which only a program that is run needs.
        Step::Cuda => succeeds(
            root,
            &["clippy", "--package", "toolrl-cli", "--features", "cuda", "--", "-D", "warnings"],
            &[("DOCS_RS", "1")],
        ),
        // Less optimised: compiling takes longer than these tests.
        Step::Kernels => succeeds(
            root,
            &["test", "--package=toolrl-cube", "--features=wgpu", "--config=profile.dev.opt-level=1"],
            &[],
        ),
        Step::Vulkan => succeeds(
            root,
            &[
                "test",
                "--package=toolrl-cube",
                "--package=toolrl-kernels",
                "--package=toolrl-engine",
                "--package=toolrl-train",
                "--features=toolrl-cube/wgpu,toolrl-kernels/wgpu,toolrl-engine/wgpu,toolrl-train/wgpu",
            ],
            &[],
        ),
        Step::Alone => alone(root),
        Step::Arm => arm::passes(root),
        Step::Wheel => Ok(wheel::run(root, &["--test".into()])? == ExitCode::SUCCESS),
        Step::Tests => succeeds(root, &["test"], &[]),
    }
}

/// Libraries that take minutes to compile.
const HEAVY: [&str; 2] = ["burn", "parquet"];

/// Builds and tests every package by itself: built with the others, a crate can lean on features of its
/// dependencies that only they ask for. A package that links one of [`HEAVY`] is type-checked alone and
/// tested with the others: each choice of features would otherwise compile that library once more.
fn alone(root: &Path) -> anyhow::Result<bool> {
    let workspace = Workspace::read(root)?;
    for package in workspace.members() {
        let linked = workspace.linked(package);
        let command: &[&str] = if HEAVY.iter().any(|heavy| linked.contains(*heavy)) {
            &["check", "--all-targets"]
        } else {
            &["test", "--quiet"]
        };
        eprintln!("== alone: {} ({})", package.name, command[0]);
        if !succeeds(root, &[command, &["--package", package.name.as_str()]].concat(), &[])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs cargo in the root of the workspace.
fn succeeds(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<bool> {
    let status = cargo()
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot start cargo {}", arguments.join(" ")))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let given: Vec<OsString> = given.iter().map(OsString::from).collect();
        Ok(chosen(&given)?.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn all_steps_run_cheapest_first() {
        assert_eq!(
            names(&[]).unwrap(),
            ["fmt", "tidy", "clippy", "docs", "cuda", "kernels", "alone", "arm", "wheel", "tests", "vulkan"]
        );
    }

    #[test]
    fn named_steps_keep_that_order() {
        assert_eq!(names(&["docs", "fmt"]).unwrap(), ["fmt", "docs"]);
    }

    #[test]
    fn an_unknown_step_is_named() {
        let error = names(&["fmt", "lint"]).unwrap_err().to_string();
        assert!(error.contains("no step lint") && error.contains("clippy"), "{error}");
    }
}
