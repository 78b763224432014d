//! docs/tutorial.md: its commands run in order, and the code that it shows is code that is tested.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const TUTORIAL: &str = include_str!("../../../docs/tutorial.md");
const DOWNSTREAM: &str = include_str!("../../../tests/downstream/src/main.rs");
const DOWNSTREAM_RECIPE: &str = include_str!("../../../tests/downstream/tests/recipe.toml");

/// What `cargo` is in the tutorial's commands: `cargo xtask`, with the binary already built.
const CARGO: &str = r#"#!/usr/bin/env bash
set -eu
[ "$1" = xtask ]
shift
if [ "$1" = toolrl ]; then shift; fi
exec "$TOOLRL" "$@"
"#;

/// A fenced block of the tutorial.
struct Block {
    /// What follows the opening fence.
    info: &'static str,
    /// The line of the fence, from 1.
    line: usize,
    text: String,
}

/// The fenced blocks, in order.
fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in TUTORIAL.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some(Block { info, line: index + 1, text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

/// The only block of a language.
fn only(language: &str) -> String {
    let mut found = blocks().into_iter().filter(|b| b.info == language);
    let block = found.next().unwrap();
    assert!(found.next().is_none(), "docs/tutorial.md has a second {language} block");
    block.text
}

#[test]
fn its_commands_work_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, clone) = (dir.path().join("bin"), dir.path().join("clone"));
    std::fs::create_dir(&bin).unwrap();
    std::fs::create_dir(&clone).unwrap();
    std::fs::write(bin.join("cargo"), CARGO).unwrap();
    std::fs::set_permissions(bin.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();

    let commands: Vec<_> = blocks().into_iter().filter(|b| b.info == "sh").collect();
    assert!(commands.len() >= 8, "only {} blocks are run", commands.len());
    for block in commands {
        run(&block, &bin, &clone);
    }
    for path in
        ["runs/first/report.html", "runs/first/eval-final/eval.json", "runs/bikes-grpo/final/config.json"]
    {
        assert!(clone.join(path).exists(), "{path} is not there");
    }
}

fn run(block: &Block, bin: &Path, clone: &Path) {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block.text])
        .env("PATH", path)
        .env("TOOLRL", env!("CARGO_BIN_EXE_toolrl"))
        .current_dir(clone)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "docs/tutorial.md:{}: {}\n{}\nstdout:\n{}\nstderr:\n{}",
        block.line,
        output.status,
        block.text,
        text(&output.stdout),
        text(&output.stderr),
    );
}

#[test]
fn a_block_of_commands_that_is_not_run_says_why() {
    for block in blocks().iter().filter(|b| b.info.starts_with("sh") && b.info != "sh") {
        let reason = block.info.strip_prefix("sh no-test: ").unwrap_or_default();
        assert!(!reason.trim().is_empty(), "docs/tutorial.md:{}: ```{}", block.line, block.info);
    }
}

#[test]
fn its_reward_term_is_that_of_the_downstream_package() {
    assert_eq!(only("rust"), DOWNSTREAM);
    assert!(DOWNSTREAM_RECIPE.contains(&only("toml")), "tests/recipe.toml has another entry");
}
