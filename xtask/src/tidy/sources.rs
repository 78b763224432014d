//! Rules of the Rust sources.

use super::Violation;

/// The most lines a source file may have.
const MOST_LINES: usize = 400;
/// Macros that write to a terminal.
const PRINTING: [&str; 5] = ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("];
/// Calls that read the environment.
const ENVIRONMENT: [&str; 4] = ["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];

/// Checks one source file, given by its path from the root.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        violations.push(Violation::of(path, format!("has {lines} lines, more than {MOST_LINES}")));
    }
    let in_crate = path.starts_with("crates/") && path.contains("/src/");
    if in_crate && !text.starts_with("//!") {
        violations.push(Violation::of(path, "must begin with a `//!` module doc"));
    }
    let may_print = ["crates/cli/", "crates/testing/"].iter().any(|folder| path.starts_with(folder));
    if in_crate && !may_print && !path.ends_with("tests.rs") {
        violations.extend(check_library(path, text));
    }
    violations
}

/// Libraries neither print nor read the environment; their unit tests may.
fn check_library(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in without_tests(text).lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        if let Some(call) = first_call(line, &PRINTING) {
            violations.push(Violation::at(path, index, format!("libraries do not print: {call})")));
        }
        if let Some(call) = first_call(line, &ENVIRONMENT) {
            violations.push(Violation::at(path, index, format!("only cli reads the environment: {call})")));
        }
    }
    violations
}

/// The source above its `mod tests`.
fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(above, _)| above)
}

/// The first of these calls that a line holds, but for those at the end of a longer name.
fn first_call<'a>(line: &str, calls: &[&'a str]) -> Option<&'a str> {
    calls.iter().copied().find(|call| {
        line.match_indices(call).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|character| character.is_alphanumeric() || character == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_where_they_apply() {
        let long = format!("//! d\n{}", "\n".repeat(MOST_LINES));
        let cases = [
            // path, source, the line of each violation (0 for the whole file)
            ("crates/a/src/lib.rs", "//! Doc\nfn f() {}\n", vec![]),
            ("crates/a/src/lib.rs", "fn f() {}\n", vec![0]),
            ("crates/a/tests/t.rs", "fn f() { println!(\"{}\", std::env::var(\"X\")) }\n", vec![]),
            ("crates/a/src/x.rs", "//! D\n// println!()\n/// println!()\n", vec![]),
            ("crates/a/src/x.rs", "//! D\n    println!(\"\");\n", vec![2]),
            ("crates/a/src/x.rs", "//! D\nlet a = dbg!(1);\n\neprintln!();\n", vec![2, 4]),
            ("crates/a/src/x.rs", "//! D\nmy_println!(1);\n", vec![]),
            ("crates/a/src/x.rs", "//! D\nlet home = env::var_os(\"HOME\");\n", vec![2]),
            ("crates/a/src/x.rs", "//! D\n#[cfg(test)]\nmod tests {\n println!();\n}\n", vec![]),
            ("crates/a/src/x.rs", "//! D\n#[cfg(test)]\nmod check;\nfn f() { println!() }\n", vec![4]),
            ("crates/cli/src/x.rs", "//! D\nprintln!();\nenv::var(\"X\");\n", vec![]),
            ("crates/testing/src/x.rs", "//! D\neprintln!();\n", vec![]),
            ("xtask/src/main.rs", "println!();\n", vec![]),
            ("crates/cli/src/x.rs", long.as_str(), vec![0]),
        ];
        for (path, source, expected) in cases {
            let violations = check(path, source);
            let lines: Vec<_> = violations.iter().map(|violation| violation.line.unwrap_or(0)).collect();
            assert_eq!(lines, expected, "{path}: {violations:?}");
        }
    }
}
