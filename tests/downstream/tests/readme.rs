//! The README's reward is the one that is built here, and it works.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::process::Command;

const README: &str = include_str!("../../../README.md");
const CODE: &str = include_str!("../src/bin/concise.rs");

#[test]
fn the_readme_shows_this_code() {
    assert!(README.contains(&format!("```rust\n{CODE}```\n")), "README.md and concise.rs differ");
    assert!(CODE.lines().count() < 30);
}

#[test]
fn the_term_is_explained_and_fuzzed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows.jsonl");
    let thoughts = "word ".repeat(40);
    let reply = format!("<think> {thoughts}</think>\n<response> b </response>");
    let row = serde_json::json!({"solution_str": reply, "ground_truth": "<think> a </think>\n<response> b </response>"});
    std::fs::write(&rows, format!("{row}\n")).unwrap();
    let concise = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_concise")).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let rows = rows.to_str().unwrap();
    let text = concise(&["reward", "explain", "--rows", rows, "--terms", "format + concise*0.5"]);
    assert!(text.contains("total 1.250") && text.contains("concise 0.500 of [0, 1], weight 0.5"), "{text}");
    let text = concise(&["reward", "fuzz", "--terms", "concise", "--cases", "200", "--strict"]);
    assert!(text.contains("200 cases"), "{text}");
}
